// Branches of a stem beside the same trials played from their start: each fault of each call, and each disturbance.

import { expect, test } from "vitest";
import { newStems, playTrial, stemOf } from "../../../src/testing/check/branches.ts";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { allKinds, disturbancesOf, faultsOf } from "../../../src/testing/check/faults.ts";
import { cast, company, five, toldOf, trialOf, varied } from "./casts.ts";

const kinds = new Set(allKinds);

test.each([five.id, varied.id])("B1: every branch of '%s' is its trial, played from the start", async (workflow) => {
  const base = trialOf(workflow);
  const { played, branch } = await stemOf(company, base);
  const faults = played.calls.flatMap((called) => faultsOf(called, company, kinds));
  expect(faults.length).toBeGreaterThan(30);
  const trials = [
    ...faults.map(({ place, outcome }) => ({ ...base, calls: { [place]: outcome } })),
    ...disturbancesOf(played, kinds).map((one) => ({ ...base, disturbances: [one] })),
  ];
  for (const trial of trials) {
    const isSame = toldOf(await branch(trial)) === toldOf(await playTrial(company, trial));
    expect(isSame, JSON.stringify(trial)).toBe(true);
  }
});

test("B1: where definitions say who has to wait, nothing is shared, and it is played all the same", async () => {
  const limited = prepareCast({ ...cast, tools: [{ id: "saw", concurrency: { limit: 1 } }] });
  expect(limited.isUnlimited).toBe(false);
  const base = trialOf("varied");
  const { played, branch } = await stemOf(limited, base);
  expect(played.status).toBe("SUCCESS");
  const trial = { ...base, calls: { end: { do: "fails", code: "GONE" } as const } };
  expect(toldOf(await branch(trial))).toBe(toldOf(await playTrial(limited, trial)));
});

test("a stem is played once as long as there is room for its copies, and anew when there was none", async () => {
  const stemFor = newStems(company);
  const base = trialOf("five");
  const first = await stemFor("first", base);
  expect(first.moments).toBeGreaterThan(5);
  expect(await stemFor("first", base)).toBe(first);
  for (let left = Math.ceil(2_000 / first.moments); left > 0; left--) await stemFor(`other ${left}`, base);
  expect(await stemFor("first", base)).not.toBe(first);
});

const gone = { do: "fails", code: "GONE" } as const;
const hangs = { do: "hangs" } as const;
const canceled = [{ append: 3, do: "cancel" } as const];
test.each([
  ["comes where nothing did", { calls: { look: hangs } }, { calls: { look: gone } }],
  ["comes sooner", { calls: { "charge@*": hangs } }, { calls: { "charge@*": hangs, "charge@2": gone } }],
  ["does not stop when told", { disturbances: canceled }, { disturbances: canceled, calls: { charge: hangs } }],
  [
    "stops when it is told to",
    { disturbances: canceled, calls: { charge: hangs } },
    { disturbances: canceled, calls: { charge: gone } },
  ],
])("B1: a branch whose call %s is its trial, played from the start", async (_what, base, other) => {
  const { branch } = await stemOf(company, trialOf("five", base));
  const trial = trialOf("five", other);
  expect(toldOf(await branch(trial))).toBe(toldOf(await playTrial(company, trial)));
});
