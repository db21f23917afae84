// What one operation of the HTTP interface is described by.

import type { z } from "zod";
import { type Method, placeOf } from "./contract-paths.ts";

/** Who may ask: everybody; who may read; who may also begin and end executions; who may change what is defined. */
export type Scope = "open" | "read" | "run" | "admin";

export type Described = {
  summary: string;
  /** What else there is to say, in the OpenAPI document. */
  description?: string;
  scope: Scope;
  tags: readonly [string, ...string[]];
  params?: z.ZodObject;
  query?: z.ZodObject;
  /** Of an object its fields are those of the request; anything else is handed in as `body`. */
  body?: z.ZodType;
  /** What is answered, by status. Whatever else is answered is a problem. */
  answers: Readonly<Partial<Record<200 | 201 | 202 | 204 | 503, z.ZodType>>>;
  /** What the body of an answer is: JSON unless said otherwise; `events` are a stream of server-sent events. */
  gives?: "text" | "events";
  /** The body is taken as the bytes that came. */
  takes?: "bytes";
};

type Where = { method: Method; path: string };
export type Route = Described & Where;

export function route<const R extends Described>(line: string, described: R): R & Where {
  const { method, path } = placeOf(line);
  return { method, path, ...described };
}
