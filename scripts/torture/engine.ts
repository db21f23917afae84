// The process that is tortured: an engine on a data directory, asked over the channel of its parent.
//
//   parent ──{ number, ask, … }──▶ engine ──{ number, answer | error }──▶ parent       each request once
//                                  engine ──{ ended: End }──────────────▶ parent       each watched execution once
//
// SIGTERM drains it: it takes nothing new, ends what is under way, and exits with 0. Over NATS it is ready once it
// has reached the server, and its handlers are elsewhere.

import { setTimeout as after } from "node:timers/promises";
import { systemClock } from "../../src/actors/clock.ts";
import { troupe, type Troupe } from "../../src/runtime/troupe.ts";
import type { End } from "../../src/runtime/desk.ts";
import { fromUnknown, TroupeError } from "../../src/protocol/errors.ts";
import type { Report } from "../../src/protocol/report.ts";
import { openSqlite } from "../../src/store/sqlite.ts";
import { nkeyAuthenticator } from "../../src/transport/nats-client.ts";
import { type NatsTransport, openNats } from "../../src/transport/nats.ts";
import { company, companyApart } from "./company.ts";

export type Orders = { directory: string; ledger: string; pagesMax?: number; nats?: Server };
/** A NATS server, and the key of who may do anything there. */
export type Server = { url: string; seed: string; prefix: string };

export type Ask =
  | { ask: "start"; workflow: string; input: unknown; key: string }
  | { ask: "watch"; execId: string }
  | { ask: "signal"; execId: string; name: string }
  | { ask: "cancel"; execId: string }
  | { ask: "pause"; execId: string }
  | { ask: "resume"; execId: string }
  | { ask: "why"; execId: string }
  | { ask: "behind" };

export type Told =
  | { ready: Troupe["recovered"] }
  | { failed: { code: string; message: string } }
  | { ended: End }
  | { number: number; answer: unknown }
  | { number: number; error: { code: string; message: string } };

const graceMs = 1_000;
const againMs = 100;
/** A cut is noticed soon, what a killed engine had not settled comes again soon, and no stream is ever full. */
const limits = {
  pingIntervalMs: 500,
  ackTimeoutMs: 1_000,
  ackWaitMs: 2_000,
  closeTimeoutMs: 1_000,
  streamBytes: 4_294_967_296,
};

// A parent that is gone ends it too.
process.on("disconnect", () => process.exit(3));
const tell = (told: Told): void => void process.send?.(told);
const partsOf = (error: unknown) => {
  const { code, message } = fromUnknown(error);
  return { code, message };
};

const { directory, ledger, pagesMax, nats } = JSON.parse(process.argv[2] ?? "{}") as Orders;

const log: Report = (level, message, fields) => {
  if (level === "error" && !(nats && isOfOutage(message, fields))) console.error(message, JSON.stringify(fields));
};
/** What is of no record, such as a line of a log, may be lost while the server is away; that is said, and is all. */
function isOfOutage(message: string, { run, reason }: Readonly<Record<string, unknown>>): boolean {
  const isOfServer = /cannot be reached|not (?:have been )?kept|^timeout$/.test(String(reason));
  return isOfServer && run === undefined && /^a (?:message could not be sent|delivery failed)$/.test(message);
}

/** Whoever comes up while the server is away comes up when it is back. */
async function reach({ url, seed, prefix }: Server): Promise<NatsTransport> {
  const server = { servers: url, authenticator: nkeyAuthenticator(new TextEncoder().encode(seed)) };
  for (;;) {
    try {
      return await openNats({ server, prefix, clock: systemClock(), report: log, ...limits });
    } catch {
      await after(againMs);
    }
  }
}

async function open(): Promise<{ engine: Troupe; close: () => Promise<void> }> {
  const transport = nats && (await reach(nats));
  const store = openSqlite({ directory, ...(pagesMax !== undefined && { pagesMax }) });
  const engine = await troupe({
    ...(nats ? companyApart() : company(ledger)),
    ...(nats && transport && { prefix: nats.prefix, transport }),
    store,
    limits: { idleBeforeSleepMs: 500 },
    log,
  });
  const close = async (): Promise<void> => {
    await engine.stop({ graceMs });
    await transport?.close();
  };
  return { engine, close };
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
    case "behind":
      return engine.stats().bridge?.behind ?? 0;
  }
}

try {
  const { engine, close } = await open();
  process.on("SIGTERM", () => {
    close().then(
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
