// Where the daemon is: what was said, else what the daemon of this folder wrote down, else the usual port.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Command, Option } from "commander";
import { type Client, connect } from "../gateway/client.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";

export type Reach = { url?: string; token?: string };
export type Reached = { client: Client; url: string };

export const usualUrl = "http://127.0.0.1:7420";
const patienceMs = 3_000;

/** Gives a command the options that say where the daemon is. */
export const withConnection = (command: Command): Command =>
  command
    .addOption(
      new Option("--url <url>", `where the daemon is, if not in this folder or at ${usualUrl}`).env("TROUPE_URL"),
    )
    .addOption(new Option("--token <token>", "a token for it").env("TROUPE_TOKEN"));

function reach({ url = readyUrl() ?? usualUrl, token }: Reach): Reached {
  if (!/^https?:\/\/[^/]/.test(url)) {
    throw new TroupeError("VALIDATION_FAILED", `'${url}' is no address of a daemon: write one such as ${usualUrl}`, {
      url,
    });
  }
  return { url, client: connect({ url, ...(token !== undefined && { token }) }) };
}

export const clientOf = (given: Reach): Client => reach(given).client;

/** The daemon, if there is one; where somebody said where it is, it has to be there. */
export async function reachIfAny(given: Reach): Promise<Reached | undefined> {
  const reached = reach(given);
  try {
    const { name } = await reached.client.version({}, { signal: AbortSignal.timeout(patienceMs) });
    if (name === "troupe") return reached;
  } catch (error) {
    if (given.url !== undefined) throw slow(error, reached.url);
    const { code } = fromUnknown(error);
    // Whoever answers that is no daemon of ours is none.
    if (code !== "DAEMON_UNREACHABLE" && code !== "INTERNAL_ERROR" && code !== "NOT_FOUND") throw error;
  }
  if (given.url === undefined) return undefined;
  const message = `what answers at ${reached.url} is no troupe daemon`;
  throw new TroupeError("DAEMON_UNREACHABLE", message, { url: reached.url });
}

function slow(error: unknown, url: string): unknown {
  if (!(error instanceof Error) || error.name !== "TimeoutError") return error;
  return new TroupeError(
    "DAEMON_UNREACHABLE",
    `${url} has not answered for ${patienceMs} ms`,
    { url },
    { cause: error },
  );
}

/** What the daemon that runs in this folder, or one above it, wrote when it was ready. */
function readyUrl(): string | undefined {
  const given = process.env["TROUPE_DATA_DIR"];
  if (given !== undefined) return urlIn(join(given, "ready.json"));
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const url = urlIn(join(folder, ".troupe", "ready.json"));
    if (url !== undefined || folder === dirname(folder)) return url;
  }
}

function urlIn(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  try {
    const { http } = JSON.parse(readFileSync(file, "utf8")) as { http?: unknown };
    return typeof http === "string" ? http : undefined;
  } catch {
    // Written only half, or by somebody else: the usual port is tried.
    return undefined;
  }
}
