// The command line as a person meets it: what it answers, what it suggests, and with which exit code it ends.

import { existsSync } from "node:fs";
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { programOf } from "../../src/cli/program.ts";
import { manifest } from "../kit/tree.ts";
import { run, troupe } from "../kit/troupe.ts";

/** Every command that does something, with the words that call it. */
function* commandsIn(command: Command, words: readonly string[] = []): Generator<[string, Command]> {
  for (const one of command.commands) yield* commandsIn(one, [...words, one.name()]);
  if (command.commands.length === 0) yield [words.join(" "), command];
}

describe("troupe", () => {
  test("says what it says as JSON wherever one asks for that", () => {
    const without = [...commandsIn(programOf())]
      .filter(([, { options }]) => !options.some(({ long }) => long === "--json"))
      .map(([name]) => name);
    // What the scripts of the shells ask.
    expect(without).toEqual(["complete"]);
    for (const line of [["schema", "project"], ["completion", "fish"], ["config", "show"], ["message-types"]]) {
      const { exit, stdout } = troupe(...line, "--json");
      expect({ line, exit, is: typeof JSON.parse(stdout) }).toEqual({ line, exit: 0, is: "object" });
    }
  });

  test("`up --help` shows each default as it would be written", () => {
    expect(troupe("up", "--help").stdout).toMatch(/--grace <duration>[^-]*\(default\s+10s\)/);
  });

  test("--version prints the version of the package and nothing else", () => {
    expect(troupe("--version")).toEqual({ exit: 0, stdout: `${manifest.version}\n`, stderr: "" });
  });

  test("--help goes to the output and is no error", () => {
    const { exit, stdout, stderr } = troupe("--help");
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: troupe /);
  });

  test("without a command it shows the help as an error", () => {
    const { exit, stdout, stderr } = troupe();
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toMatch(/^Usage: troupe /);
  });

  test("a misspelt option is wrong usage, and the right one is suggested", () => {
    const { exit, stderr } = troupe("--versoin");
    expect(exit).toBe(2);
    expect(stderr).toContain("Did you mean --version?");
  });

  test("an unknown command is wrong usage", () => {
    const { exit, stdout, stderr } = troupe("juggle");
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain("juggle");
  });

  // What Linux has for a disk that is full.
  test.runIf(existsSync("/dev/full")).each([["rehearse"], ["rehearse --json"], ["--help"]])(
    "%s fails when its output cannot be written, and says so",
    (line) => {
      const { exit, stderr } = run("sh", ["-c", `exec "$0" bin/troupe.js ${line} > /dev/full`, process.execPath]);
      expect(exit).toBe(1);
      expect(stderr).toMatch(/^troupe: cannot write the output: ENOSPC.*\n$/);
    },
  );

  test("rehearse is content with a reader that has gone away", () => {
    const line = `{ "$0" bin/troupe.js rehearse --json; echo "exit $?" >&2; } | true`;
    expect(run("sh", ["-c", line, process.execPath])).toEqual({ exit: 0, stdout: "", stderr: "exit 0\n" });
  });
});
