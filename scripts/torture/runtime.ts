// The process of a runtime that is tortured: the handlers of the company, served over NATS until it is killed.
//
// SIGTERM drains it: it takes nothing new, ends what is under way, leaves, and exits.

import { setTimeout as after } from "node:timers/promises";
import { serve } from "../../src/serve/serve.ts";
import { served } from "./company.ts";

export type RuntimeOrders = { servers: string; nkey: string; prefix: string; ledger: string };

/** So soon it is missed when it is gone; more than enough room for all that the clients want. */
const limits = { heartbeatMs: 300, leaseMs: 1_500, graceMs: 2_000, agents: 256, tools: 256 };
const againMs = 100;

// A parent that is gone ends it too.
process.on("disconnect", () => process.exit(3));

const { ledger, ...where } = JSON.parse(process.argv[2] ?? "{}") as RuntimeOrders;
for (;;) {
  try {
    const { ended } = await serve(served(ledger), { ...where, limits, report: () => undefined });
    process.send?.({ told: "ready" });
    await ended;
    process.disconnect();
    break;
  } catch {
    // The server is away: it is there again soon.
    await after(againMs);
  }
}
