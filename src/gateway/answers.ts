// What an operation of the contract is asked with, and what it says.

import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import type { z } from "zod";
import type { Operation, Routes } from "./contract.ts";

type Out<R, K extends string> = R extends Record<K, infer S> ? (S extends z.ZodType ? z.output<S> : unknown) : unknown;

/** A request, checked. */
export type Asked<K extends Operation = Operation> = {
  params: Out<Routes[K], "params">;
  query: Out<Routes[K], "query">;
  body: Out<Routes[K], "body">;
  headers: IncomingHttpHeaders;
  correlationId: string;
  idempotencyKey: string | undefined;
  /** Whether who asked may still be here: for answers that stay open. */
  isWelcome: () => boolean;
};

/** The body of an answer, and what goes with it; 200 and nothing else unless it is said. */
export type Said<B = unknown> = {
  status?: number;
  body: B;
  headers?: Readonly<Record<string, string>>;
};

type Bodies<A> = { [S in keyof A]: A[S] extends z.ZodType ? z.input<A[S]> : never }[keyof A];
type Body<K extends Operation> = Routes[K] extends { gives: "events" } ? Readable : Bodies<Routes[K]["answers"]>;

export type Answer<K extends Operation> = (asked: Asked<K>) => Said<Body<K>> | Promise<Said<Body<K>>>;

/** Every operation has one. */
export type Answers = { readonly [K in Operation]: Answer<K> };
export type AnswersOf<K extends Operation> = Pick<Answers, K>;
