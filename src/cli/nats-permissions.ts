// The command `troupe nats-permissions`: what the users of a NATS server may say and hear, to paste into its
// configuration.

import type { Command } from "commander";
import { type Permissions, userText } from "../transport/nats-permissions.ts";

type Options = { role?: string[]; runtime?: string; tools?: boolean; config?: string; json?: true };

export function natsPermissions(program: Command): void {
  program
    .command("nats-permissions")
    .description("Print the users of a NATS server: what each role may do, or a runtime elsewhere.")
    .option("-c, --config <file>", "the file of the project, for its prefix and layout; default troupe.yaml")
    .option("--role <names...>", "only these roles; without it each of them")
    .option("--runtime <uuid>", "a runtime elsewhere, by its id")
    .option("--tools", "the runtime serves tools, too")
    .option("--json", "one JSON object for each user")
    .action(async ({ role, runtime, tools = false, json, config }: Options) => {
      const [{ readConfig }, { permissionsOfRole, permissionsOfRuntime, permittedRoles }] = await Promise.all([
        import("../daemon/config.ts"),
        import("../runtime/permissions.ts"),
      ]);
      const { prefix, subjects: layout } = await readConfig({ flags: { config } });
      const namespace = { prefix, layout };
      const users: [string, Permissions][] =
        runtime === undefined
          ? (role ?? permittedRoles).map((name) => [name, permissionsOfRole(name, namespace)])
          : [[runtime, permissionsOfRuntime(runtime, namespace, tools)]];
      if (json) for (const [user, permissions] of users) console.log(JSON.stringify({ user, ...permissions }));
      else console.log(listOf(users));
    });
}

/** Words are read from the environment of the server: none of them stands in a file that may be shown. */
function listOf(users: readonly [string, Permissions][]): string {
  const texts = users.map(([user, permissions]) =>
    userText(`user: ${JSON.stringify(user)}, password: $${variableOf(user)}`, permissions),
  );
  return `authorization { users: [\n${texts.join("\n")}\n] }`;
}
const variableOf = (user: string): string => `NATS_${user.replaceAll("-", "_").toUpperCase()}`;
