// The Stately Inspector as a part that is on or off: at the start as it was asked for, and later as whoever may wants.
//
// Invariants:
//   IS1. It is served by one port at a time; turned off, or moved, the port before is free again.

import type { Part } from "../actors/supervisor.ts";
import type { DaemonDoor } from "../gateway/door.ts";
import type { Guard } from "../gateway/guard.ts";
import type { Inspector } from "../gateway/inspector.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { held } from "./held.ts";
import type { Report } from "../protocol/report.ts";
import type { State } from "./parts.ts";
import { inspectorPort, type Settings } from "./settings.ts";

type Given = { settings: Pick<Settings, "inspect" | "inspect_url">; report: Report; state: State; guard: Guard };

export function newInspectorSwitch({ settings, report, state, guard }: Given) {
  let wanted = settings.inspect;
  let served: Inspector | undefined;
  // One after the other: two who turn it on at once would both open the port.
  let work: Promise<unknown> = Promise.resolve();

  async function turn(): Promise<void> {
    await served?.close();
    served = undefined;
    const { troupe, url } = state;
    const { inspect_url: inspectorUrl } = settings;
    if (wanted === false) return;
    if (!troupe) throw new TroupeError("INVALID_STATE", "the engine is being opened; try again in a moment");
    const { openInspector } = await import("../gateway/inspector.ts");
    try {
      served = await openInspector({ troupe, guard, log: report, port: wanted, pagesUrl: url, inspectorUrl });
    } catch (error) {
      // Its port is somebody else's.
      throw fromUnknown(error).code === "INVALID_STATE" ? held(fromUnknown(error).message, error) : error;
    }
    report("info", "the inspector is served", { url: served.url });
  }
  function inTurn(): Promise<void> {
    const done = work.then(turn);
    // Whoever asked hears of the failure by what is returned; the next only waits for its turn.
    work = done.catch(() => undefined);
    return done;
  }

  const status = () => ({ enabled: served !== undefined, port: served?.port ?? null, url: served?.url ?? null });
  const part: Part = {
    name: "the inspector",
    async start() {
      await inTurn();
      return async () => {
        await work;
        await served?.close();
        served = undefined;
      };
    },
  };
  const door: NonNullable<DaemonDoor["inspector"]> = {
    status,
    async set({ enabled, port }) {
      const before = wanted;
      wanted = enabled ? (port ?? (before === false ? inspectorPort : before)) : false;
      if (wanted === before && status().enabled === enabled) return status();
      try {
        await inTurn();
      } catch (error) {
        wanted = false;
        throw error;
      }
      return status();
    },
  };
  return { ...door, part };
}
