// What this process hears over a transport, as discovery tells it: each subscription, how often, and what went wrong.

import type { Component as Code } from "../protocol/entry.ts";
import { isExecId } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";
import { elapsedMs } from "./clock.ts";
import type { Component } from "./component.ts";
import type { Listening } from "./subscriptions.ts";

export type Endpoint = {
  /** The role that hears it, and what. */
  name: string;
  subject: string;
  group?: string | undefined;
  requests: number;
  errors: number;
  lastError?: string;
  processingMs: number;
};

/** How many messages were refused, and why the last one was. */
export type Refused = { times: number; last: string };

const nameMax = 64;

/** Of a pattern what stands in it for good: neither the prefix, nor ids, nor wildcards. */
function wordsOf(pattern: string): string[] {
  const [first = "", ...tokens] = pattern.split(".");
  const words = tokens.filter((token) => /^[\w-]+$/.test(token) && !isExecId(token));
  return first.startsWith("_INBOX") ? ["inbox"] : words;
}

export function newEndpoints(components: readonly Component[], refused: () => Refused) {
  const roles = new Map<Code, string>(components.map(({ code, role }) => [code, role]));
  const all: Endpoint[] = [];

  return {
    all: (): readonly Endpoint[] => all,
    /** Gives what each delivery at the subscription is handed to. */
    add({ code, pattern, group }: Listening): (handle: () => void) => void {
      const name = [roles.get(code) ?? code, ...wordsOf(pattern)].join("_").slice(0, nameMax);
      const endpoint: Endpoint = { name, subject: pattern, group, requests: 0, errors: 0, processingMs: 0 };
      all.push(endpoint);
      return (handle) => {
        const before = refused().times;
        const from = elapsedMs();
        try {
          handle();
        } catch (error) {
          endpoint.errors += 1;
          endpoint.lastError = clip(error instanceof Error ? error.message : String(error));
          throw error;
        } finally {
          endpoint.requests += 1;
          endpoint.processingMs += elapsedMs() - from;
        }
        const { times, last } = refused();
        if (times === before) return;
        endpoint.errors += 1;
        endpoint.lastError = clip(last);
      };
    },
  };
}
