// Goal: what was on disk when a process died leaves at its next start, and what was answered does not.
//
// Method: one process whose components reach each other over the transport alone. It dies at each of its appends in
// turn, with the append on disk and nothing of it sent. How many there are is counted in a life without a death.

import { describe, expect, test } from "vitest";
import type { Options } from "../../src/runtime/options.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { type Stage, stage } from "../kit/bridged.ts";
import { mortal } from "./recovery-bed.ts";

const workflows: NonNullable<Options["workflows"]> = [
  {
    id: "w",
    tasks: [
      { id: "ask", type: "agent", agent: "clerk", next: "look" },
      { id: "look", type: "tool", tool: "look", with: { seen: "${{ tasks.ask.output.n }}" } },
    ],
  },
];

type Played = { appends: number; status: string; events: string[]; begun: string[]; resent: string[] };

/** `diesAfter`: dies when all is done. */
async function play(deathAt?: number, diesAfter = false): Promise<Played> {
  const set: Stage = stage();
  const begun: string[] = [];
  const disk = makeDisk();
  const death = deathAt === undefined ? undefined : { append: deathAt, isWritten: true };
  const { store, appends, isDead } = mortal(openMemory({ disk }), death);
  const handler = (name: string, output: unknown) => (): unknown => {
    begun.push(name);
    return output;
  };
  const options = {
    workflows,
    agents: [{ id: "clerk", handler: handler("clerk", { n: 1 }) }],
    tools: [{ id: "look", handler: handler("look", { ok: true }) }],
    wire: true,
  };
  const first = await set.open({ ...options, store });
  const { execId } = first.start("w", {});
  await set.pass(100);
  const isOver = isDead() || diesAfter;
  if (isOver) await set.cut(0);
  const heard = set.watch("compozy.commands.>");
  const next = isOver
    ? await set.open({ ...options, store: openMemory({ disk: isDead() ? disk : disk.copy() }) })
    : first;
  // Well within every time of the charts: whatever ends it has been sent, and not given up.
  await set.pass(900);
  const lines = await next.history(execId);
  const events = lines.filter(({ type, disposition }) => type.startsWith("event:") && disposition === "applied");
  const shown = next.get(execId);
  const resent = heard.map(({ subject }) => subject);
  return { appends: appends(), status: shown?.status ?? "", events: events.map(({ type }) => type), begun, resent };
}

describe("a process that dies with something unsent", () => {
  test("J1: sends it at its next start, wherever it died", async () => {
    const calm = await play();
    expect(calm).toMatchObject({ status: "SUCCESS", begun: ["clerk", "look"] });
    // The first is the registration of its own runtime.
    for (let append = 2; append <= calm.appends; append++) {
      const { status, events } = await play(append);
      expect({ append, status, events }).toEqual({ append, status: "SUCCESS", events: calm.events });
    }
  });

  test("J2: sends no command again that was answered, or whose execution has ended", async () => {
    const { status, begun, resent } = await play(undefined, true);
    expect({ status, begun, resent }).toEqual({ status: "SUCCESS", begun: ["clerk", "look"], resent: [] });
  });
});
