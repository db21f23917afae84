// A troupe on a real server, and runtimes of `troupe/serve` beside it, each with the same sign-in.

import { join } from "node:path";
import { afterEach, expect } from "vitest";
import { type Troupe, troupe } from "../../src/index.ts";
import type { Definitions } from "../../src/runtime/options.ts";
import { serve, type Served, type ServeOptions, type Serving } from "../../src/serve/serve.ts";
import { natsForThisFile, silent } from "../kit/nats.ts";

export function serveBed() {
  const nats = natsForThisFile();
  const open: (() => Promise<void>)[] = [];
  const troupes = new Map<string, Troupe>();
  let count = 0;
  afterEach(async () => {
    for (const close of open.splice(0).reverse()) await close();
  });

  const later = (close: () => Promise<unknown>): void => void open.push(async () => void (await close()));
  return {
    nats,
    later,
    prefix: (): string => `served-${(count += 1)}`,
    /** What a runtime signs in with. */
    signIn(prefix: string): ServeOptions {
      const nkey = join(nats.directory(), "all.nk");
      nats.server().credentials(nkey);
      return { servers: nats.server().url(), nkey, prefix, standalone: false, report: silent };
    },
    /** Resolves once the troupe knows it. */
    async known(prefix: string, { runtimeId }: Serving): Promise<void> {
      const t = troupes.get(prefix);
      if (t) await expect.poll(() => t.runtimes().some(({ id }) => id === runtimeId)).toBe(true);
    },
    async serve(prefix: string, served: Served, more: ServeOptions = {}): Promise<Serving> {
      const serving = await serve(served, { ...this.signIn(prefix), ...more });
      later(() => serving.stop(0));
      if (served.agents) await this.known(prefix, serving);
      return serving;
    },
    async troupe(prefix: string, definitions: Definitions) {
      const transport = await nats.open(prefix);
      const opened = await troupe({ ...definitions, prefix, transport });
      troupes.set(prefix, opened);
      later(async () => {
        await opened.stop({ graceMs: 0 });
        await transport.close();
      });
      return opened;
    },
  };
}
