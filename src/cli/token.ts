// The command `troupe token`: makes, lists and revokes the tokens that clients of a daemon carry.

import { type Command, Option } from "commander";
import type { Scope, Token } from "../gateway/tokens.ts";
import { durationOf, timeOf } from "../language/duration.ts";
import { TroupeError } from "../protocol/errors.ts";

type Options = { tokenFile: string; json?: true };
type CreateOptions = Options & { scope: Scope; expires?: string };

const scopes = ["read", "run", "admin"] satisfies readonly Scope[];
const load = () => import("../gateway/tokens.ts");

const fileOption = (): Option =>
  new Option("--token-file <file>", "the file with the tokens").env("TROUPE_TOKEN_FILE").makeOptionMandatory();

export function token(program: Command): void {
  const tokens = program.command("token").description("Make, list and revoke the tokens that clients carry.");
  tokens
    .command("create")
    .description("Make a token and show its secret, once.")
    .argument("<name>", "whose it is")
    .addOption(fileOption())
    .addOption(new Option("--scope <scope>", "what it allows").choices(scopes).default("run"))
    .option("--expires <when>", "a duration (30d) or a time (2027-01-31T12:00:00Z); for ever without it")
    .option("--json", "one JSON object")
    .action(create);
  tokens
    .command("list")
    .description("List the tokens, without secrets.")
    .addOption(fileOption())
    .option("--json", "one JSON object for each")
    .action(list);
  tokens
    .command("revoke")
    .description("Take a token away; a running daemon notices at once.")
    .argument("<name>", "of which token")
    .addOption(fileOption())
    .option("--json", "one JSON object")
    .action(async (name: string, { tokenFile, json }: Options) => {
      const { revokeToken } = await load();
      revokeToken(tokenFile, name);
      if (json) console.log(JSON.stringify({ name, revoked: true }));
      else console.error(`Revoked '${name}'.`);
    });
}

// The secret alone goes to the output, so that it can be piped to where it is kept.
async function create(name: string, { tokenFile, scope, expires, json }: CreateOptions): Promise<void> {
  const { createToken } = await load();
  const now = new Date().getTime();
  const expiresAt = expires === undefined ? null : timeAfter(expires, now);
  const { secret, token: made } = createToken(tokenFile, { name, scope, expiresAt, now });
  if (json) return console.log(JSON.stringify({ ...shownOf(made, now), secret }));
  console.error(`This is the secret of '${name}' (${scope}). It is shown only now; ${tokenFile} holds its hash alone.`);
  console.log(secret);
}

function timeAfter(given: string, now: number): number {
  let isDuration = true;
  const ms = durationOf(given, "expires", () => (isDuration = false));
  const at = isDuration ? now + ms : timeOf(given);
  if (at !== undefined && at > now) return at;
  const says = "is no time to come; write a duration such as 30d, or a time such as 2027-01-31T12:00:00Z";
  throw new TroupeError("VALIDATION_FAILED", `--expires '${given}' ${says}`, { expires: given });
}

async function list({ tokenFile, json }: Options): Promise<void> {
  const { readTokens } = await load();
  const now = new Date().getTime();
  const shown = readTokens(tokenFile).map((one) => shownOf(one, now));
  if (json) return shown.forEach((one) => console.log(JSON.stringify(one)));
  if (shown.length === 0) return console.log("There are no tokens.");
  const width = Math.max(...shown.map(({ name }) => name.length));
  for (const { name, scope, created_at, expires_at, is_expired } of shown) {
    const end = expires_at === null ? "never expires" : `${is_expired ? "expired" : "expires"} ${expires_at}`;
    console.log(`${name.padEnd(width)}  ${scope.padEnd(5)}  created ${created_at}  ${end}`);
  }
}

const shownOf = ({ name, scope, created_at, expires_at }: Token, now: number) => ({
  name,
  scope,
  created_at,
  expires_at,
  is_expired: expires_at !== null && Date.parse(expires_at) <= now,
});
