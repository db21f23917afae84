// The command `troupe doctor`: looks at everything that a daemon needs here, and says of what it lacks how to mend it.

import type { Command } from "commander";
import { styleText } from "node:util";
import { exits } from "../protocol/errors.ts";
import { addSettings, settingsIn } from "./settings.ts";

const needs = ["config", "data_dir", "host", "port", "json"];

export function doctor(program: Command): void {
  const command = program.command("doctor").description("Look whether a daemon can run here, and what is in its way.");
  addSettings(command, needs);
  command.action(async (options: Record<string, unknown>) => {
    const { examine } = await import("../daemon/doctor.ts");
    const { isJson, findings } = await examine(settingsIn(options), new URL(import.meta.url));
    for (const finding of findings) {
      if (isJson) {
        console.log(JSON.stringify(finding));
        continue;
      }
      const { name, is, says, fix } = finding;
      console.log(`${marks[is]} ${name}: ${says}`);
      if (fix !== undefined) console.log(`     ${fix}`);
    }
    if (findings.some(({ is }) => is === "bad")) process.exitCode = exits.failed;
  });
}

const marks = {
  good: styleText("green", "ok  "),
  slow: styleText("yellow", "warn"),
  bad: styleText("red", "bad "),
} as const;
