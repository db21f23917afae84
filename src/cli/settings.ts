// The settings of the daemon as options of a command: those that have a flag, from the one table.

import { type Command, Option } from "commander";
import { settings, shown } from "../daemon/settings.ts";

export function addSettings(command: Command, only?: readonly string[]): void {
  for (const [key, { flag, about, default: preset }] of Object.entries(settings)) {
    if (flag === undefined || (only && !only.includes(key))) continue;
    const known = preset === null || preset === false ? "" : ` (default ${textOf(shown(key, preset))})`;
    command.addOption(new Option(flag, about + known));
  }
}

/** By key, as they were given. */
export const settingsIn = (options: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options).map(([name, value]) => [
      name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );

/** A value on one line. */
export function textOf(value: unknown): string {
  if (value === null) return "-";
  if (Array.isArray(value)) return value.join(",");
  return typeof value === "string" ? value : JSON.stringify(value);
}
