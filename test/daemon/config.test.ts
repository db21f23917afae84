// Goal: what `troupe up` goes by is what was said where it counts most, and what cannot be is refused where it stands.
// Method: layers drawn at random are put over each other, and compared with a plain account of which one counts.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { limits } from "../../src/actors/limits.ts";
import { mergedFrom, readConfig } from "../../src/daemon/config.ts";
import { limitNames, settings } from "../../src/daemon/settings.ts";
import { guardLimits } from "../../src/gateway/guard-limits.ts";
import { socketLimits } from "../../src/gateway/socket-limits.ts";
import type { TroupeError } from "../../src/protocol/errors.ts";

const keys = Object.keys(settings);
const nowhere = "/nowhere";

/** A value that fits a key, as the file would hold it. */
function fitting(key: string): fc.Arbitrary<unknown> {
  const { holds } = settings[key] ?? { holds: "" };
  if (holds.startsWith("one of ")) return fc.constantFrom(...holds.slice("one of ".length).split(", "));
  if (holds === "true or false") return fc.boolean();
  if (holds === "true, false or a port") return fc.constantFrom(false, 8_080, 9_000);
  if (holds.startsWith("a duration")) return fc.integer({ min: 1, max: 99 }).map((count) => `${count}m`);
  if (holds.startsWith("a whole number")) return fc.integer({ min: 1, max: 60_000 });
  if (holds.startsWith("a list")) return fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 });
  return fc.constantFrom("here", "there", "elsewhere");
}
const someOf = (among: readonly string[]): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .subarray([...among], { maxLength: 8 })
    .chain((chosen) => fc.record(Object.fromEntries(chosen.map((key) => [key, fitting(key)]))));

const textOf = (value: unknown): string => (Array.isArray(value) ? value.join(",") : String(value));
const environmentOf = (values: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`TROUPE_${key.toUpperCase()}`, textOf(value)]));

const refusal = (act: () => unknown): TroupeError => {
  try {
    act();
  } catch (error) {
    return error as TroupeError;
  }
  throw new Error("nothing was refused");
};

describe("the layers", () => {
  const inFile = keys.filter((key) => settings[key]?.callOnly === undefined);

  test("CF1: each value is that of the first layer that has it, and its origin says which one that was", () => {
    fc.assert(
      fc.property(someOf(keys), someOf(keys), someOf(inFile), (flags, environment, daemon) => {
        const file = { name: "troupe.yaml", folder: nowhere, daemon };
        const { shown } = mergedFrom({ flags, environment: environmentOf(environment), file });
        for (const { key, value, origin, default: preset } of shown) {
          const [said, from] = Object.hasOwn(flags, key)
            ? [flags[key], `--${key.replaceAll("_", "-")}`]
            : Object.hasOwn(environment, key)
              ? [environment[key], `TROUPE_${key.toUpperCase()}`]
              : Object.hasOwn(daemon, key)
                ? [daemon[key], `daemon.${key} of troupe.yaml`]
                : [preset, "default"];
          expect({ key, origin }).toEqual({ key, origin: from });
          const isPathOfFile = origin.startsWith("daemon.") && settings[key]?.isPath;
          expect({ key, value: alike(value) }).toEqual({
            key,
            value: alike(isPathOfFile ? join(nowhere, String(said)) : said),
          });
        }
      }),
      { numRuns: 200 },
    );
  });

  test("CF1: what is set to nothing in the environment is not set", () => {
    const { shown } = mergedFrom({ environment: { TROUPE_PORT: "" } });
    expect(shown.find(({ key }) => key === "port")).toMatchObject({ value: 7_420, origin: "default" });
  });

  test("hold every limit of the engine, of the door and of sockets, by one key each", () => {
    const names = [limits, guardLimits, socketLimits].flatMap((table) => Object.keys(table));
    const keysOfLimits = Object.values(limitNames).flatMap((one) => [...one.keys()]);
    expect(keysOfLimits).toHaveLength(names.length);
    expect(new Set(keysOfLimits).size).toBe(names.length);
    // None of them has hidden one of the options, nor is it hidden.
    expect(keys).toEqual(expect.arrayContaining([...keysOfLimits, "port", "roles", "nats_url", "json"]));
  });

  test("give the limits that were set, and no others, by the names that their owners know", () => {
    const daemon = { retention: "30d", payload_bytes: 1_000, request_timeout: "5s", ws_frame_bytes: 2_000 };
    const { settings: merged } = mergedFrom({ file: { name: "troupe.yaml", folder: nowhere, daemon } });
    expect(merged.limits).toEqual({ retentionMs: 30 * 86_400_000, payloadBytes: 1_000 });
    expect(merged.guardLimits).toEqual({ requestTimeoutMs: 5_000 });
    expect(merged.socketLimits).toEqual({ frameBytes: 2_000 });
  });
});

/** Whichever way a duration was written, and numbers that came as texts. */
const alike = (value: unknown): unknown => {
  const [, count, unit = ""] = /^(\d+)(m|h)$/.exec(String(value)) ?? [];
  return count === undefined ? value : Number(count) * (unit === "h" ? 60 : 1);
};

describe("CF2: refused is", () => {
  const ofFile = (daemon: unknown) => () => mergedFrom({ file: { name: "troupe.yaml", folder: nowhere, daemon } });
  test.each([
    [
      "an unknown key of the file",
      ofFile({ prot: 1 }),
      "daemon.prot of troupe.yaml is no setting; did you mean 'daemon.port of troupe.yaml'?",
    ],
    ["a key that is like none", ofFile({ colour: 1 }), "`troupe config show` lists them"],
    [
      "an unknown variable",
      () => mergedFrom({ environment: { TROUPE_LOG_LEVL: "info" } }),
      "did you mean 'TROUPE_LOG_LEVEL'?",
    ],
    [
      "a wrong value of a flag",
      () => mergedFrom({ flags: { port: "x" } }),
      "--port must be a whole number, 0 to 65535, not 'x'",
    ],
    [
      "a wrong value that would not count",
      () => mergedFrom({ flags: { port: 1 }, environment: { TROUPE_PORT: "x" } }),
      "TROUPE_PORT must be",
    ],
    ["a port that is none", ofFile({ port: 70_000 }), "not 70000"],
    ["a duration that is none", ofFile({ grace: "soon" }), "daemon.grace of troupe.yaml must be a duration"],
    ["a level that is none", ofFile({ log_level: "loud" }), "must be one of fatal, error, warn, info"],
    ["a setting of one call in the file", ofFile({ json: true }), "it is for one call"],
    ["a file whose daemon is a list", ofFile([]), "must be an object of settings"],
  ])("%s", (_what, act, says) => {
    const { code, message } = refusal(act);
    expect(code).toBe("VALIDATION_FAILED");
    expect(message).toContain(says);
  });

  test("everything that is wrong at once, each where it stands", () => {
    const { details } = refusal(() => mergedFrom({ flags: { port: "x" }, environment: { TROUPE_GRACE: "y" } }));
    expect(details["errors"]).toMatchObject([{ field: "--port" }, { field: "TROUPE_GRACE" }]);
  });

  test("but what others have in their environment is let be", () => {
    const others = { TROUPE_SERVICE_HOST: "10.0.0.1", TROUPE_URL: "http://x", TROUPE_TOKEN: "x" };
    expect(mergedFrom({ environment: others }).shown.every(({ origin }) => origin === "default")).toBe(true);
  });
});

describe("the file", () => {
  function folderWith(text: string, name = "troupe.yaml"): string {
    const folder = mkdtempSync(join(tmpdir(), "troupe-config-"));
    writeFileSync(join(folder, name), text);
    return folder;
  }

  test("is a project's, whose folder the paths in it are from", async () => {
    const folder = folderWith(
      "version: 1\nname: x\ndefault_agent: clerk\ndaemon: { port: 1, token_file: secret/tokens }\n",
    );
    const {
      settings: merged,
      project,
      defaultAgent,
    } = await readConfig({
      flags: { config: join(folder, "troupe.yaml") },
      environment: {},
    });
    expect({ project, defaultAgent, port: merged.port }).toEqual({ project: folder, defaultAgent: "clerk", port: 1 });
    expect(merged.token_file).toBe(join(folder, "secret/tokens"));
  });

  test("that was named and is not there is refused", async () => {
    await expect(readConfig({ flags: { config: "/nowhere/troupe.yaml" }, environment: {} })).rejects.toThrow(
      "there is no file '/nowhere/troupe.yaml'",
    );
  });

  test("that is called otherwise is refused", async () => {
    const folder = folderWith("version: 1\n", "other.yaml");
    const flags = { config: join(folder, "other.yaml") };
    await expect(readConfig({ flags, environment: {} })).rejects.toThrow("must be called troupe.yaml or troupe.ts");
  });

  test("that cannot be read is refused with the place", async () => {
    const folder = folderWith("daemon: {\n");
    const flags = { config: join(folder, "troupe.yaml") };
    await expect(readConfig({ flags, environment: {} })).rejects.toThrow(/troupe\.yaml:\d+:\d+ SYNTAX/);
  });

  test("may be missing where nobody named one", () => {
    expect(mergedFrom({}).settings).toMatchObject({ config: "troupe.yaml", port: 7_420, data_dir: "./.troupe" });
  });
});
