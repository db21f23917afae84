// The two layouts of subjects: the rule table, the catalogue's templates by it, and the grammar of each token.
//
//   catalogue     commands.agent.<wf>.trigger.<agent>
//   rule, flow    commands.<entity>.<scope>.<word>.<target>
//   correlated    <corr>.<entity>.commands.<target>.<word>
//   so            <corr>.agent.commands.<agent>.trigger

import assert from "node:assert/strict";
import { catalogue, entryOf, keys, type Key } from "./catalogue.ts";
import { errors } from "./errors.ts";
import { componentPattern, isDefinitionId, isExecId, noScope } from "./ids.ts";
import { entities, type Entity } from "./statuses.ts";

export const layouts = ["flow", "correlated"] as const;
export type Layout = (typeof layouts)[number];

type ParamIn<T extends string> = T extends `${string}<${infer P}>${infer Rest}` ? P | ParamIn<Rest> : never;
type Subject<K extends Key> = (typeof catalogue)[K]["subject"];
/** The tokens of a message's subject, by the names in its template. */
export type Params<K extends Key> = { [P in ParamIn<Subject<K>>]: string };

type FlowAddress<K extends Key> = { key: K; layout: "flow"; params: Params<K> };
type CorrelatedAddress<K extends Key> = {
  key: K;
  layout: "correlated";
  params: { corr: string } & Partial<Params<K>>;
};
/** What a subject says. The correlated layout leaves some tokens out and adds the correlation id. */
export type Address<K extends Key = Key> = K extends Key
  ? Subject<K> extends `heartbeats.${string}` | `rejected.${string}`
    ? FlowAddress<K>
    : FlowAddress<K> | CorrelatedAddress<K>
  : never;

/** A row of the rules: a shape in each layout, and whose messages it holds for. */
export type Row = { readonly [L in Layout]: readonly string[] } & { readonly entities: readonly Entity[] };

const row = (flow: string, correlated: string, own: readonly Entity[]): Row => ({
  flow: flow.split("."),
  correlated: correlated.split("."),
  entities: own,
});

export const rows: readonly Row[] = [
  row("commands.<entity>.<scope>.<word>.<target>", "<corr>.<entity>.commands.<target>.<word>", [
    "task",
    "agent",
    "tool",
  ]),
  row("commands.<entity>.<word>.<target>", "<corr>.<entity>.commands.<target>.<word>", ["workflow"]),
  row("commands.<entity>.<rt>.<word>.<target>", "<corr>.<entity>.commands.<rt>.<word>", ["agent_runtime"]),
  row("results.<entity>.<target>", "<corr>.<entity>.results.<target>", entities),
  row("events.<entity>.instance.<target>.<word>", "<corr>.<entity>.events.<target>.<word>", entities),
  row("progress.<entity>.<target>.<word>", "<corr>.<entity>.progress.<target>.<word>", entities),
  row("logs.<component>.<corr>.<level>", "<corr>.<component>.logs.<level>", []),
  row("heartbeats.<entity>.<rt>", "heartbeats.<entity>.<rt>", ["agent_runtime"]),
  row("rejected.<reason>", "rejected.<reason>", []),
];

export const rootOf = ({ flow }: Row): string => flow[0] ?? "";
export const rootWords: ReadonlySet<string> = new Set(rows.map(rootOf));

/** The name of a slot, `<so>`; nothing for a plain word. */
export const slotOf = (place: string): string | undefined => (place.startsWith("<") ? place.slice(1, -1) : undefined);

export type Slots = ReadonlyMap<string, string>;

/** What stands in the slots of a shape, if the tokens have this shape. */
function slotsOf(shape: readonly string[], tokens: readonly string[]): Slots | undefined {
  if (shape.length !== tokens.length) return undefined;
  const slots = new Map<string, string>();
  for (const [index, place] of shape.entries()) {
    const slot = slotOf(place);
    const token = tokens[index] ?? "";
    if (slot !== undefined) slots.set(slot, token);
    else if (place !== token) return undefined;
  }
  return slots;
}

/** The row that tokens follow in a layout, and what stands in its slots. */
export function rowOf(layout: Layout, tokens: readonly string[]): { row: Row; slots: Slots } | undefined {
  for (const candidate of rows) {
    const slots = slotsOf(candidate[layout], tokens);
    if (slots !== undefined && holdsFor(candidate, slots.get("entity"))) return { row: candidate, slots };
  }
  return undefined;
}

const holdsFor = ({ entities: own }: Row, entity: string | undefined): boolean =>
  entity === undefined || slotOf(entity) !== undefined || own.some((one) => one === entity);

type Template = { readonly [L in Layout]: readonly string[] } & { readonly row: Row; readonly slots: Slots };

/** The template of each key: in the flow layout from the catalogue, in the correlated one by the rules. */
const templates: ReadonlyMap<Key, Template> = new Map(
  keys.map((key) => {
    const flow = entryOf(key).subject.split(".");
    const found = rowOf("flow", flow);
    assert(found, `the subject of "${key}" follows no row of the rules`);
    const correlated = found.row.correlated.map((place) => found.slots.get(slotOf(place) ?? "") ?? place);
    return [key, { flow, correlated, ...found }];
  }),
);

export function templateOf(key: Key): Template {
  const template = templates.get(key);
  assert(template, `"${key}" is not in the catalogue`);
  return template;
}

// ── which message a subject is for ───────────────────────────────────────────────────────────────

const placeName = (root: string, entity = "", word = ""): string => `${root} ${entity} ${word}`;
const namedEntity = ({ slots }: Template): string | undefined => {
  const entity = slots.get("entity");
  return entity === "<entity>" ? undefined : entity;
};

const keysByPlace = new Map<string, Key>();
for (const [key, template] of templates) {
  const named = namedEntity(template);
  if (named !== undefined || !template.slots.has("entity")) {
    keysByPlace.set(placeName(rootOf(template.row), named, template.slots.get("word")), key);
  }
}
// A template that leaves the entity open has what the others left.
const openEntities: Entity[] = [];
for (const [key, template] of templates) {
  for (const entity of template.slots.get("entity") === "<entity>" ? template.row.entities : []) {
    const place = placeName(rootOf(template.row), entity, template.slots.get("word"));
    if (keysByPlace.has(place)) continue;
    keysByPlace.set(place, key);
    openEntities.push(entity);
  }
}

export const keyAt = (root: string, entity?: string, word?: string): Key | undefined =>
  keysByPlace.get(placeName(root, entity, word));

/** The actions, events or kinds that an entity has under a root. */
export const wordsOf = (root: string, entity: string): string[] =>
  [...keysByPlace.keys()]
    .filter((place) => place.startsWith(`${root} ${entity} `))
    .map((place) => place.slice(place.lastIndexOf(" ") + 1));

// ── the grammar of tokens ────────────────────────────────────────────────────────────────────────

const levels: ReadonlySet<string> = new Set(["debug", "info", "warn", "error"]);
// A list, and not a comparison in lower case: the dotless i is lower case too, and its upper case is I.
const reasons: ReadonlySet<string> = new Set(Object.keys(errors).map((code) => code.toLowerCase()));
const componentCharsMax = 64;

const isComponent = (token: string): boolean => token.length <= componentCharsMax && componentPattern.test(token);

type Grammar = { fits: (token: string) => boolean; is: string };
const definition: Grammar = { fits: isDefinitionId, is: "a definition id" };
const uuid: Grammar = { fits: isExecId, is: "a lower-case hyphenated UUID" };
const scope: Grammar = {
  fits: (token) => token === noScope || isDefinitionId(token),
  is: `a definition id or ${noScope}`,
};
const grammars: Readonly<Record<string, Grammar>> = {
  scope,
  target: definition,
  task: definition,
  agent: definition,
  tool: definition,
  rt: uuid,
  corr: uuid,
  component: { fits: isComponent, is: "a component in snake case" },
  level: { fits: (token) => levels.has(token), is: "a log level" },
  reason: { fits: (token) => reasons.has(token), is: "an error code in lower case" },
  entity: { fits: (token) => openEntities.some((entity) => entity === token), is: openEntities.join(", ") },
};

/** What may stand for a parameter of a template, or in a slot of a rule; execution ids are named with a final x. */
export function grammarOf(param: string, entity: Entity | null): Grammar {
  if (param === "wf") return entity === "workflow" ? definition : scope;
  const grammar = grammars[param] ?? (param.endsWith("x") ? uuid : undefined);
  assert(grammar, `the parameter "${param}" has no grammar`);
  return grammar;
}
