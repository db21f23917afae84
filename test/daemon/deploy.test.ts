// Goal: what is in `deploy` calls the daemon by options and settings that it has, and gives it time to stop.
// Method: the files are read as text, and held against the one table of settings.

import { expect, test } from "vitest";
import { mergedFrom } from "../../src/daemon/config.ts";
import { settings } from "../../src/daemon/settings.ts";
import { treeOf } from "../kit/tree.ts";

const files = treeOf("deploy/*");
const unit = files.get("deploy/troupe.service") ?? "";
const container = files.get("deploy/Containerfile") ?? "";
const flags = Object.values(settings).flatMap(({ flag }) => flag?.match(/--[\w-]+/g) ?? []);

test("every option that the unit and the container give is one of `troupe up`", () => {
  const calls = [
    ...unit.matchAll(/^ExecStart=.*troupe up(.*)$/gm),
    ...container.matchAll(/^CMD \["troupe", "up"(.*)\]$/gm),
  ];
  expect(calls).toHaveLength(2);
  const given = calls.flatMap(([, rest = ""]) => rest.match(/--[\w-]+/g) ?? []);
  expect(given.length).toBeGreaterThan(2);
  expect(given.filter((option) => !flags.includes(option))).toEqual([]);
});

test("every variable that the container sets is a setting, with a value that fits", () => {
  const environment = Object.fromEntries(
    [...container.matchAll(/\b(TROUPE_\w+)=(\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  expect(Object.keys(environment)).toContain("TROUPE_HOST");
  const { shown } = mergedFrom({ environment });
  const set = shown.filter(({ origin }) => origin !== "default").map(({ origin }) => origin);
  expect(set.toSorted()).toEqual(Object.keys(environment).toSorted());
});

test("the unit waits longer for a stop than the daemon takes, and tries again only what may help", () => {
  const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  expect(seconds * 1_000).toBeGreaterThan(mergedFrom({}).settings.grace);
  expect(unit).toMatch(/^Restart=on-failure$/m);
  expect(unit).toMatch(/^RestartPreventExitStatus=2$/m);
});
