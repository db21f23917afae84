// As much of JSON Schema as a form needs: what a value begins as, and what is wrong with it while it is typed.
//
// The daemon has the last word: what is not looked at here, it looks at.

export type Schema = {
  readonly type?: string | readonly string[];
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema | boolean>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema | boolean;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
};
export type Defect = { readonly path: string; readonly message: string };

const refsMax = 20;

/** What a reference stands for; what cannot be found says nothing. */
export function resolved(schema: Schema | boolean | undefined, root: Schema): Schema {
  let found: Schema = typeof schema === "object" ? schema : {};
  for (let hops = 0; found.$ref !== undefined && hops < refsMax; hops += 1) {
    const name = /^#\/(?:\$defs|definitions)\/(.+)$/.exec(found.$ref)?.[1];
    const { $ref: _ref, ...beside } = found;
    found = found.$ref === "#" ? root : { ...(name === undefined ? {} : root.$defs?.[name]), ...beside };
  }
  return found;
}

/** The one type of a schema that has one, apart from null. */
export function typeOf(schema: Schema): string | undefined {
  const { type } = schema;
  if (typeof type === "string") return type;
  const types = (type ?? []).filter((one) => one !== "null");
  if (types.length === 1) return types[0];
  if (types.length > 1) return undefined;
  return schema.properties ? "object" : schema.items === undefined ? undefined : "array";
}

const isChoice = ({ anyOf, oneOf, allOf }: Schema): boolean => (anyOf ?? oneOf ?? allOf) !== undefined;
/** Whether it can be drawn as fields; anything else is typed as JSON. */
export const isPlain = (schema: Schema): boolean =>
  !isChoice(schema) && (schema.enum !== undefined || schema.const !== undefined || typeOf(schema) !== undefined);

export function initialOf(given: Schema | boolean | undefined, root: Schema, depth = 0): unknown {
  const schema = resolved(given, root);
  if (schema.default !== undefined) return schema.default;
  if (schema.const !== undefined) return schema.const;
  if (typeOf(schema) !== "object" || depth > 8) return undefined;
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, property]): [string, unknown][] => {
    const value = initialOf(property, root, depth + 1);
    const isEmpty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
    return value === undefined || (isEmpty && !schema.required?.includes(name)) ? [] : [[name, value]];
  });
  return Object.fromEntries(fields);
}

const kindOf = (value: unknown): string => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "number" && Number.isInteger(value) ? "integer" : typeof value;
};
const articles: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "yes or no",
  object: "an object",
  array: "a list",
  null: "null",
};

export function defectsOf(value: unknown, given: Schema | boolean | undefined, root: Schema, path = ""): Defect[] {
  if (given === false) return [{ path, message: "must not be there" }];
  const schema = resolved(given, root);
  const wrong = (message: string): Defect[] => [{ path, message }];
  const types = typeof schema.type === "string" ? [schema.type] : schema.type;
  const kind = kindOf(value);
  if (types && !types.some((type) => type === kind || (type === "number" && kind === "integer"))) {
    return wrong(`must be ${types.map((type) => articles[type] ?? type).join(" or ")}`);
  }
  const same = (one: unknown): boolean => JSON.stringify(one) === JSON.stringify(value);
  if (schema.const !== undefined && !same(schema.const)) return wrong(`must be ${JSON.stringify(schema.const)}`);
  if (schema.enum && !schema.enum.some(same)) return wrong(`must be one of ${schema.enum.map(String).join(", ")}`);
  if (typeof value === "string") return textDefects(value, schema).flatMap(wrong);
  if (typeof value === "number") return numberDefects(value, schema).flatMap(wrong);
  if (Array.isArray(value)) return listDefects(value, schema, root, path);
  return kind === "object" ? objectDefects(value as Record<string, unknown>, schema, root, path) : [];
}

function textDefects(value: string, { minLength, maxLength, pattern, format }: Schema): string[] {
  const length = Array.from(value).length;
  const defects: string[] = [];
  if (minLength !== undefined && length < minLength) defects.push(`must have at least ${minLength} characters`);
  if (maxLength !== undefined && length > maxLength) defects.push(`must have at most ${maxLength} characters`);
  if (pattern !== undefined && !patternOf(pattern).test(value)) defects.push(`must fit ${pattern}`);
  if (format === "email" && !/^[^@\s]+@[^@\s]+$/.test(value)) defects.push("must be an address of electronic mail");
  if (format === "uri" && !URL.canParse(value)) defects.push("must be an address, as https://…");
  if ((format ?? "").startsWith("date") && Number.isNaN(Date.parse(value)))
    defects.push("must be a date, as 2026-11-21");
  return defects;
}

/** A pattern that this browser cannot read is left to the daemon: here anything fits. */
function patternOf(pattern: string): RegExp {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return /(?:)/;
  }
}

function numberDefects(value: number, schema: Schema): string[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const defects: string[] = [];
  if (minimum !== undefined && value < minimum) defects.push(`must be at least ${minimum}`);
  if (maximum !== undefined && value > maximum) defects.push(`must be at most ${maximum}`);
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum)
    defects.push(`must be more than ${exclusiveMinimum}`);
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum)
    defects.push(`must be less than ${exclusiveMaximum}`);
  if (multipleOf !== undefined && !isMultiple(value / multipleOf)) defects.push(`must be a multiple of ${multipleOf}`);
  return defects;
}
const isMultiple = (times: number): boolean => Math.abs(times - Math.round(times)) < 1e-9;

function listDefects(value: readonly unknown[], schema: Schema, root: Schema, path: string): Defect[] {
  const { minItems, maxItems, items } = schema;
  const defects: Defect[] = [];
  if (minItems !== undefined && value.length < minItems) defects.push({ path, message: `needs at least ${minItems}` });
  if (maxItems !== undefined && value.length > maxItems) defects.push({ path, message: `takes at most ${maxItems}` });
  return [...defects, ...value.flatMap((item, index) => defectsOf(item, items, root, `${path}/${index}`))];
}

function objectDefects(value: Readonly<Record<string, unknown>>, schema: Schema, root: Schema, path: string): Defect[] {
  const { properties = {}, required = [], additionalProperties } = schema;
  const missing = required
    .filter((name) => value[name] === undefined)
    .map((name) => ({ path: `${path}/${name}`, message: "is required" }));
  const inside = Object.entries(value).flatMap(([name, item]) => {
    if (item === undefined) return [];
    const at = `${path}/${name}`;
    if (Object.hasOwn(properties, name)) return defectsOf(item, properties[name], root, at);
    if (additionalProperties === false) return [{ path: at, message: "is not known here" }];
    return defectsOf(item, additionalProperties, root, at);
  });
  return [...missing, ...inside];
}
