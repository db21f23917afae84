// The command `troupe config`: shows what `troupe up` would go by, and where each value comes from.

import type { Command } from "commander";
import type { Setting } from "../daemon/config.ts";
import { addSettings, settingsIn, textOf } from "./settings.ts";

export function config(program: Command): void {
  const show = program
    .command("config")
    .description("What `troupe up` goes by.")
    .command("show")
    .description("Every setting as `troupe up` would have it, called here with these options.")
    .option("--origin", "where each value comes from");
  addSettings(show);
  show.action(async ({ origin: withOrigin, ...options }: Record<string, unknown>) => {
    const { readConfig } = await import("../daemon/config.ts");
    const { settings, shown } = await readConfig({ flags: settingsIn(options) });
    if (settings.json) return console.log(JSON.stringify(withOrigin ? shown : valuesOf(shown)));
    for (const line of linesOf(shown, withOrigin === true)) console.log(line);
  });
}

const valuesOf = (shown: readonly Setting[]): Record<string, unknown> =>
  Object.fromEntries(shown.map(({ key, value }) => [key, value]));

function linesOf(shown: readonly Setting[], withOrigin: boolean): string[] {
  const rows = shown.map(({ key, value, origin }) => [key, textOf(value), origin] as const);
  const widthOf = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  const [keys, values] = [widthOf(0), widthOf(1)];
  return rows.map(([key, value, origin]) =>
    withOrigin ? `${key.padEnd(keys)}  ${value.padEnd(values)}  ${origin}` : `${key.padEnd(keys)}  ${value}`,
  );
}
