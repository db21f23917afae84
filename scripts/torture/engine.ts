// The process that is tortured: an engine on a data directory, asked over the channel of its parent.
//
//   parent ──{ number, ask, … }──▶ engine ──{ number, answer | error }──▶ parent       each request once
//                                  engine ──{ ended: End }──────────────▶ parent       each watched execution once
//
// SIGTERM drains it: it takes nothing new, ends what is under way, and exits with 0.

import { troupe, type Troupe } from "../../src/runtime/troupe.ts";
import type { End } from "../../src/runtime/desk.ts";
import { fromUnknown, TroupeError } from "../../src/protocol/errors.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { company } from "./company.ts";

export type Orders = { directory: string; ledger: string; pagesMax?: number };

export type Ask =
  | { ask: "start"; workflow: string; input: unknown; key: string }
  | { ask: "watch"; execId: string }
  | { ask: "signal"; execId: string; name: string }
  | { ask: "cancel"; execId: string }
  | { ask: "pause"; execId: string }
  | { ask: "resume"; execId: string }
  | { ask: "why"; execId: string };

export type Told =
  | { ready: Troupe["recovered"] }
  | { failed: { code: string; message: string } }
  | { ended: End }
  | { number: number; answer: unknown }
  | { number: number; error: { code: string; message: string } };

const graceMs = 1_000;

// A parent that is gone ends it too.
process.on("disconnect", () => process.exit(3));
const tell = (told: Told): void => void process.send?.(told);
const partsOf = (error: unknown) => {
  const { code, message } = fromUnknown(error);
  return { code, message };
};

const { directory, ledger, pagesMax } = JSON.parse(process.argv[2] ?? "{}") as Orders;

async function open(): Promise<Troupe> {
  const store = openSqlite({ directory, ...(pagesMax !== undefined && { pagesMax }) });
  return troupe({
    ...company(ledger),
    store,
    limits: { idleBeforeSleepMs: 500 },
    log: (level, message, fields) => {
      if (level === "error") console.error(message, JSON.stringify(fields));
    },
  });
}

async function answer(engine: Troupe, request: Ask): Promise<unknown> {
  switch (request.ask) {
    case "start": {
      const { workflow, input, key } = request;
      const { execId, duplicate, accepted } = engine.start(workflow, input, { idempotencyKey: key });
      await accepted();
      return { execId, duplicate };
    }
    case "watch":
      engine.result(request.execId).then(
        (ended) => tell({ ended }),
        // It has not ended when the process stops, and is watched again by the next.
        () => undefined,
      );
      return engine.get(request.execId).status;
    case "signal":
      return engine.signal(request.execId, request.name, { at: Date.now() });
    case "cancel":
      return engine.cancel(request.execId);
    case "pause":
      return engine.pause(request.execId);
    case "resume":
      return engine.resume(request.execId);
    case "why":
      return engine.why(request.execId);
  }
}

try {
  const engine = await open();
  process.on("SIGTERM", () => {
    engine.stop({ graceMs }).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error("stopping failed:", error);
        process.exit(1);
      },
    );
  });
  process.on("message", ({ number, ...request }: Ask & { number: number }) => {
    answer(engine, request as Ask).then(
      (given) => tell({ number, answer: given ?? null }),
      (error: unknown) => tell({ number, error: partsOf(error) }),
    );
  });
  tell({ ready: engine.recovered });
} catch (error) {
  const parts = error instanceof TroupeError ? partsOf(error) : { code: "CRASH", message: String(error) };
  process.send?.({ failed: parts } satisfies Told, () => process.exit(1));
}
