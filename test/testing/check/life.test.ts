// One life of the process that is played, ended in the midst of what it does.

import { expect, test } from "vitest";
import { makeDisk } from "../../../src/store/memory.ts";
import type { Committed } from "../../../src/actors/system.ts";
import { openLife } from "../../../src/testing/check/life.ts";
import { newPlaces } from "../../../src/testing/check/places.ts";
import { beganAt, type Happening, newScene, orderOf } from "../../../src/testing/check/scene.ts";
import { randomFrom } from "../../../src/testing/random.ts";
import { virtualClock } from "../../../src/testing/virtual-clock.ts";
import { company, trialOf } from "./casts.ts";

function begun(
  append: () => "lost" | "kept" | "goes on" = () => "goes on",
  disk = makeDisk(),
  clock = virtualClock(beganAt),
) {
  const heard: Committed[] = [];
  const scene = newScene();
  const happenings: Happening[] = [];
  const life = openLife({
    company,
    disk,
    clock,
    random: randomFrom(1),
    places: newPlaces(
      (id) => life.system.peek(id),
      (execId) => life.system.homeOf(execId),
    ),
    plannedAt: () => undefined,
    scene,
    number: 1,
    later: (_ms, happening) => void happenings.push(happening),
    arrange: (call, comings) =>
      happenings.push(...comings(scene.calls[call]?.outcome ?? { do: "hangs" }).map(({ happening }) => happening)),
    refused: () => undefined,
    append,
    heard: (committed) => void heard.push(committed),
    report: () => undefined,
  });
  const run = life.system.id();
  const start = (): void => {
    life.system.tell(run, "API", orderOf(trialOf("five"), run), { correlationId: life.system.id(), isNew: true });
  };
  return { life, disk, clock, heard, happenings, start };
}

test("P1: after it died nothing of it acts, and nothing is written", () => {
  const { life, disk, clock, heard, happenings, start } = begun();
  start();
  const before = [disk.log.length, heard.length];
  expect(before[0]).toBeGreaterThan(0);
  life.die();
  for (const happening of happenings) life.hands.act(happening);
  clock.advance(86_400_000);
  expect([disk.log.length, heard.length]).toEqual(before);
});

test.each([
  ["lost", 0],
  ["kept", 1],
] as const)("P1: a record that is %s leaves %i on disk, and nothing follows from it", (what, records) => {
  const { disk, heard, happenings, start } = begun(() => what);
  start();
  expect([disk.log.length, heard.length, happenings.length]).toEqual([records, 0, 0]);
});

test("P2: a recovered run that waits has its own alarms and no other", async () => {
  const first = begun();
  first.start();
  const { length } = first.disk.log;
  first.life.die();
  const second = begun(() => "goes on", first.disk, first.clock);
  await second.life.recover();
  expect(first.disk.log.length).toBeGreaterThanOrEqual(length);
  let alarms = 0;
  while (Number(second.clock.nextAt()) < beganAt + 10 * 86_400_000 && second.clock.next()) alarms += 1;
  expect(alarms).toBeLessThan(20);
});
