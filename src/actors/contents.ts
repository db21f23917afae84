// Contents too large for their messages: put before a message leaves, fetched before one is judged.
//
//   out: put ─▶ published; whatever is said after it leaves after it
//   in:  fetched ─▶ taken; whatever comes after it for the same run is taken after it, and other runs do not wait
//
// Invariants:
//   CT1. What leaves after a content that is still being put leaves after it.
//   CT2. Messages for a run are taken in the order they came, also where one waits for its content.
//   CT3. A content that cannot be had is given up within a bounded time, with the reason.
//   CT4. No more contents than the limit are held as bytes at once, and no more messages than the limit wait for them.

import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Bounds } from "../protocol/json.ts";
import { contentIn, missing, type Reference, type StoredContent } from "../protocol/references.ts";
import type { Objects } from "../transport/transport.ts";
import type { Clock } from "./clock.ts";
import type { Limits } from "./limits.ts";
import type { SystemParts } from "./system.ts";

export type ContentsParts = {
  /** None if what is too large for a message is refused. */
  objects: Objects | undefined;
  /** What it is called, also where it is not there. */
  store: string;
  limits: Pick<Limits, "objectBytes" | "objectsAtOnce" | "deliveriesMax">;
  clock: Clock;
  depthMax: Bounds["depthMax"];
  report: SystemParts["report"];
};

export type Contents = ReturnType<typeof newContents>;

const triesMax = 3;
const againMs = 1_000;

export function newContents({ objects, store, limits, clock, depthMax, report }: ContentsParts) {
  const putting = newTurns(limits.objectsAtOnce);
  const fetching = newTurns(limits.objectsAtOnce);
  /** Settles when the last of what leaves in order was said. */
  let last: Promise<void> | null = null;
  /** The same of what came, for each run that waits. */
  const lanes = new Map<string, Promise<void>>();
  let waiting = 0;

  const bounds = { sizeBytesMax: limits.objectBytes, depthMax };
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => void clock.alarm(clock.now() + ms, () => resolve()));

  async function put({ hash, size, bytes }: StoredContent): Promise<void> {
    if (size > limits.objectBytes) {
      const message = `content of ${size} bytes cannot be put into ${store}: it may have ${limits.objectBytes}`;
      throw new TroupeError("PAYLOAD_TOO_LARGE", message, { limit: "objectBytes", max: limits.objectBytes });
    }
    await objects?.put(hash, bytes());
  }

  async function bytesOf(from: Objects, reference: Reference): Promise<Uint8Array | null> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await from.get(reference.hash, reference.size);
      } catch (error) {
        if (tries === triesMax) throw missing("OBJECT_UNREACHABLE", reference, store, fromUnknown(error).message);
      }
      await pause(againMs);
    }
  }
  async function fetch(reference: Reference): Promise<unknown> {
    if (!objects) throw missing("OBJECT_STORE_OFF", reference, store, "there is no object store here");
    if (reference.size > limits.objectBytes) {
      throw missing("OBJECT_TOO_LARGE", reference, store, `at most ${limits.objectBytes} bytes are taken`);
    }
    const bytes = await bytesOf(objects, reference);
    if (bytes === null) throw missing("OBJECT_LOST", reference, store, "it is not there");
    return contentIn(bytes, reference, store, bounds);
  }

  return {
    store,
    isOn: objects !== undefined,
    /**
     * Acts once the contents are in the store and all before has left: at once, if nothing is in the way. `failed` is
     * told why not; if it throws that, what comes after fails likewise, so that all of it leaves later in its order.
     */
    leave(
      contents: readonly StoredContent[],
      act: () => Promise<void> | undefined,
      failed: (error: unknown) => Promise<void> | undefined,
    ): Promise<void> | undefined {
      if (contents.length === 0 && last === null) return act()?.catch(failed);
      const kept = Promise.all(contents.map((content) => putting(() => put(content))));
      // It is waited for only after what is before it; if it failed by then, `failed` is told.
      kept.catch(() => undefined);
      let acted: Promise<void> | undefined;
      // Whoever is next waits until this has been said, and not until it was acknowledged.
      const begun = (last ?? Promise.resolve())
        .then(() => kept)
        .then(() => {
          acted = act()?.catch(failed);
          // Whoever asked hears of it by what is returned, which may be later than it fails.
          acted?.catch(() => undefined);
        })
        .catch(failed);
      last = begun;
      const done = (): void => {
        if (last === begun) last = null;
      };
      begun.then(done, done);
      return begun.then(() => acted);
    },
    /** Whether a message with no content of its own can be taken at once. */
    isIdle: (): boolean => waiting === 0,
    /** Acts with the contents, in the order of the lane; false if too many wait already. */
    come(
      lane: string,
      references: readonly Reference[],
      act: (contents: readonly unknown[]) => void,
      failed: (error: unknown) => void,
    ): boolean {
      const before = lanes.get(lane);
      if (before === undefined && references.length === 0) {
        act([]);
        return true;
      }
      if (waiting >= limits.deliveriesMax) return false;
      waiting += 1;
      const fetchAll = async (): Promise<void> => {
        const found = await Promise.all(references.map(fetch)).catch((error: unknown) => failed(error));
        if (found) act(found);
      };
      const taken = (before ?? Promise.resolve())
        .then(() => (references.length === 0 ? act([]) : fetching(fetchAll)))
        .catch((error: unknown) => {
          report("error", "a delivery failed", { reason: fromUnknown(error).message });
        })
        .finally(() => {
          waiting -= 1;
          if (lanes.get(lane) === taken) lanes.delete(lane);
        });
      lanes.set(lane, taken);
      return true;
    },
  };
}

/** So many at once; the others in the order they came. */
function newTurns(max: number) {
  let taken = 0;
  const line: (() => void)[] = [];
  return async <T>(act: () => Promise<T>): Promise<T> => {
    if (taken < max) taken += 1;
    else await new Promise<void>((begin) => line.push(begin));
    try {
      return await act();
    } finally {
      const next = line.shift();
      if (next) next();
      else taken -= 1;
    }
  };
}
