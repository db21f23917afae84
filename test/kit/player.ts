// Some components of a scene on a real NATS server, by a clock that goes on only when it is told to.

import { systemClock } from "../../src/actors/clock.ts";
import type { Layout } from "../../src/protocol/layouts.ts";
import { type Troupe, troupe } from "../../src/runtime/troupe.ts";
import { openMemory } from "../../src/store/memory.ts";
import { randomFrom } from "../../src/testing/random.ts";
import { openNats } from "../../src/transport/nats.ts";
import type { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { scenes } from "./flow-scenes.ts";
import { settled } from "./passing.ts";
import { allRoles, newClock } from "./virtual-troupe.ts";

/** Which components of which scene, and where they meet the others. */
export type Seat = {
  play: string;
  scene: string;
  roles: readonly string[];
  layout: Layout;
  server: { servers: string; user: string; pass: string };
};

/** How far a process has come: the same twice is a process that does nothing. */
export type Turn = { standing: string; nextAt: number | null; isIdle: boolean; errors: readonly string[] };

export type Player = {
  troupe: Troupe;
  clock: VirtualClock;
  /** Goes on to a time, if there is one; gives how far it has come once nothing is on the way to the server. */
  turn(to: number | null): Promise<Turn>;
  /** A component dies: its charts in a run and their timers are gone. */
  kill(run: string, by: string): void;
  close(): Promise<void>;
};

/** Scenes are short, and their accounts share one disk. */
export const streamBytes = 1_048_576;
// The connection keeps to the time of the machine: a server is what it is.
const real = systemClock();

export async function openPlayer({ scene, roles, layout, server }: Seat): Promise<Player> {
  const clock = newClock();
  const errors: string[] = [];
  const report = (level: string, message: string, fields: object): void => {
    if (level === "error") errors.push(`${message} ${JSON.stringify(fields)}`);
  };
  const transport = await openNats({ server, clock: real, prefix: "compozy", layout, report, streamBytes });
  const opened = await troupe({
    ...scenes[scene]?.given?.(clock),
    store: openMemory(),
    clock,
    random: randomFrom(seedOf(roles)),
    transport,
    roles,
    subjects: layout,
    log: report,
  });
  await transport.settled();

  return {
    troupe: opened,
    clock,
    async turn(to) {
      if (to !== null) clock.advanceTo(to);
      await settled();
      await transport.settled();
      await settled();
      const { seq, committed, waiting, atWork, bridge } = opened.stats();
      const { behind = 0, published, received } = bridge ?? {};
      const standing = [seq, committed, atWork.agents, atWork.tools, published, received, clock.pending()].join();
      const isIdle = waiting === 0 && behind === 0 && seq === committed;
      return { standing, nextAt: clock.nextAt(), isIdle, errors };
    },
    kill(run, by) {
      const actors = opened.system.run(run)?.actors;
      for (const [address, actor] of actors ?? []) if (actor.by === by) actors?.delete(address);
    },
    async close() {
      // Time does not go on any more, so nothing of it is waited for.
      await opened.stop({ graceMs: 0 });
      await transport.close();
    },
  };
}

/** Of two processes of a scene no two ids are the same. */
const seedOf = ([role = ""]: readonly string[]): number => 1 + allRoles.findIndex((one) => one === role);
