// The type of a value that a schema lets through: of zod, of a function, or of JSON Schema written `as const`.

/** What there is once the schema has let it through, its defaults filled in. */
export type Filled<S> = S extends { readonly _zod: { readonly output: infer Output } }
  ? Output
  : S extends (value: unknown) => infer Output
    ? Output
    : S extends { safeParse(value: unknown): infer Parsed }
      ? Extract<Parsed, { success: true }> extends { readonly data: infer Output }
        ? Output
        : unknown
      : FromSchema<S, "filled">;

/** What may be given to it: what has a default may be missing. */
export type Given<S> = S extends { readonly _zod: { readonly input: infer Input } }
  ? Input
  : S extends (value: unknown) => unknown
    ? unknown
    : S extends { safeParse(value: unknown): unknown }
      ? unknown
      : FromSchema<S, "given">;

type Side = "filled" | "given";

/** Of the keywords that most schemas are made of; whatever else a schema says is left to the check. */
type FromSchema<S, At extends Side> = S extends true
  ? unknown
  : S extends false
    ? never
    : S extends { readonly const: infer Only }
      ? Only
      : S extends { readonly enum: readonly (infer One)[] }
        ? One
        : S extends { readonly anyOf: readonly (infer One)[] } | { readonly oneOf: readonly (infer One)[] }
          ? One extends unknown
            ? FromSchema<One, At>
            : never
          : S extends { readonly type: readonly (infer Type)[] }
            ? Type extends unknown
              ? OfType<Type, S, At>
              : never
            : S extends { readonly type: infer Type }
              ? OfType<Type, S, At>
              : S extends { readonly properties: unknown }
                ? Fields<S, At>
                : unknown;

type OfType<Type, S, At extends Side> = Type extends "string"
  ? string
  : Type extends "number" | "integer"
    ? number
    : Type extends "boolean"
      ? boolean
      : Type extends "null"
        ? null
        : Type extends "array"
          ? S extends { readonly items: infer Item }
            ? readonly FromSchema<Item, At>[]
            : readonly unknown[]
          : Type extends "object"
            ? Fields<S, At>
            : unknown;

type Fields<S, At extends Side> = S extends { readonly properties: infer Properties }
  ? Flat<
      {
        readonly [K in keyof Properties as K extends Sure<S, Properties, At> ? K : never]: FromSchema<
          Properties[K],
          At
        >;
      } & {
        readonly [K in keyof Properties as K extends Sure<S, Properties, At> ? never : K]?: FromSchema<
          Properties[K],
          At
        >;
      }
    >
  : S extends { readonly additionalProperties: infer Value }
    ? Value extends boolean
      ? Readonly<Record<string, unknown>>
      : Readonly<Record<string, FromSchema<Value, At>>>
    : Readonly<Record<string, unknown>>;

/** The names of fields that are there in any case. */
type Sure<S, Properties, At extends Side> =
  | (S extends { readonly required: readonly (infer Name)[] } ? Name : never)
  | (At extends "filled"
      ? { [K in keyof Properties]: Properties[K] extends { readonly default: unknown } ? K : never }[keyof Properties]
      : never);

type Flat<T> = { [K in keyof T]: T[K] };

/**
 * A function of narrower parameters than are asked for: its input has gone through its schema before it is called.
 * Methods are compared so, functions are not.
 */
export type Handling<Input, Context, Output> = {
  handle(input: Input, context: Context): Output | PromiseLike<Output>;
}["handle"];
