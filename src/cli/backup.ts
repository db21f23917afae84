// The command `troupe backup`: a whole copy of the store in one file, from a daemon that runs or from its folder.

import { resolve } from "node:path";
import type { Command } from "commander";
import { TroupeError } from "../protocol/errors.ts";
import { type Reach, reachIfAny, withConnection } from "./connection.ts";
import { addSettings, settingsIn } from "./settings.ts";

type Given = Reach & Record<string, unknown>;

export function backup(program: Command): void {
  const command = program
    .command("backup")
    .description("Copy the whole store into one file, while the daemon runs or while none does.")
    .argument("<file>", "where the copy goes; on the machine of the daemon");
  withConnection(command);
  addSettings(command, ["config", "data_dir", "key_file", "json"]);
  command.action(async (to: string, { url, token, ...options }: Given) => {
    const file = resolve(to);
    const reached = await reachIfAny({ ...(url !== undefined && { url }), ...(token !== undefined && { token }) });
    if (reached) await reached.client.backup({ file });
    else await copyFrom(settingsIn(options), file);
    const by = reached?.url ?? null;
    if (options["json"]) return console.log(JSON.stringify({ file, by }));
    console.log(`${file} is a copy of the store${by === null ? "" : ` of the daemon at ${by}`}.`);
    console.log(
      "To go back to it: stop the daemon, put it as `troupe.db` into an empty data directory, and start there.",
    );
  });
}

async function copyFrom(flags: Readonly<Record<string, unknown>>, file: string): Promise<void> {
  const { readConfig } = await import("../daemon/config.ts");
  const { copyStore } = await import("../daemon/copy-store.ts");
  const { settings } = await readConfig({ flags });
  if (await copyStore(settings, file)) return;
  const message = `no daemon answers, and there is no store in ${settings.data_dir}; name it with --data-dir`;
  throw new TroupeError("DAEMON_UNREACHABLE", message, { data_dir: settings.data_dir });
}
