// Goal: what a process is by its roles, and that what cannot be is refused with what to do instead.
// Method: settings as they are given, and what is said of them.

import { describe, expect, test } from "vitest";
import { mergedFrom } from "../../src/daemon/config.ts";
import { seatOf } from "../../src/daemon/seat.ts";

const seat = (flags: Record<string, unknown> = {}) => seatOf(mergedFrom({ flags }));
const onNats = { transport: "nats", nats_url: "nats://127.0.0.1:4222" };

describe("a seat", () => {
  test.each([
    [{}, { hasOrchestrator: true, monitors: false, door: "gateway" }],
    [
      { roles: "orchestrator,schedule" },
      { engine: ["orchestrator", "schedule"], door: "gateway", hasOrchestrator: true },
    ],
    [{ roles: "orchestrator,api,monitoring" }, { engine: ["orchestrator"], door: "gateway", monitors: true }],
    [
      { roles: "task-executor", ...onNats },
      { engine: ["task-executor"], door: "none", hasOrchestrator: false },
    ],
    [
      { roles: "task-executor", port: 7421, ...onNats },
      { engine: ["task-executor"], door: "probe" },
    ],
    [
      { roles: "monitoring", ...onNats },
      { engine: [], monitors: true, door: "none" },
    ],
    [
      { roles: "api", upstream: "http://127.0.0.1:7420" },
      { engine: [], door: "relay" },
    ],
    [
      { roles: "api,agent-runtime", upstream: "http://127.0.0.1:7420", ...onNats },
      { engine: ["agent-runtime"], door: "relay" },
    ],
  ])("of %j", (flags, is) => {
    expect(seat(flags)).toMatchObject(is);
  });

  test.each([
    [{ roles: "task-executer" }, "did you mean 'task-executor'?): there are orchestrator, task-dispatcher"],
    [{ roles: "clerk" }, "state-manager, schedule, api, monitoring"],
    [{ roles: "," }, "must name at least one of"],
    [{ roles: "task-executor" }, "give --transport nats and --nats-url"],
    [{ roles: "task-executor", transport: "nats" }, "give --transport nats and --nats-url"],
    [{ roles: "api" }, "with --upstream"],
  ])("%j is refused with what to do", (flags, says) => {
    expect(() => seat(flags)).toThrow(says);
  });
});
