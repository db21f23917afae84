// Whether a request was meant for this daemon, and sent by a page of this daemon if a browser sent it.
//
//   a page of evil.example, whose name now leads to 127.0.0.1 ─▶ Host: evil.example ─▶ refused    (DNS rebinding)
//   a page of evil.example that calls localhost               ─▶ Origin: evil.example ─▶ refused
//
// Only a name can be made to lead elsewhere, so a Host that is an address is as good as localhost.
//
// Invariants:
//   OG1. A request for a name that is not this daemon's is refused, whatever else it carries.
//   OG2. What a browser sends for a page of another origin is refused, if nobody allowed that origin.
//   OG3. Who opens the daemon's page from a link elsewhere sees it; nobody else's page holds it.

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";

export type Origins = {
  /** Names by which this daemon is known, beside localhost and addresses. */
  hosts: ReadonlySet<string>;
  /** Other origins whose pages may call, as `https://stately.ai`. */
  origins: ReadonlySet<string>;
};

export function originsOf({ hosts, origins }: { hosts: readonly string[]; origins: readonly string[] }): Origins {
  return { hosts: new Set(hosts.map((host) => host.toLowerCase())), origins: new Set(origins.map(originIn)) };
}

/** As a browser writes it. */
function originIn(given: string): string {
  const origin = URL.canParse(given) ? new URL(given).origin : "null";
  if (origin !== "null" && /^https?:/.test(origin)) return origin;
  throw new TroupeError("VALIDATION_FAILED", `'${clip(given)}' is no origin; write it as https://pages.example.org`, {
    errors: [{ field: "allowed_origins", message: "is no origin" }],
  });
}

const hostForm = /^(?:\[(?<six>[0-9a-f:.]+)\]|(?<name>[\w.-]+))(?::\d{1,5})?$/i;

/** Throws if it was meant for somebody else. */
export function checkHost(request: Pick<IncomingMessage, "headers" | "rawHeaders">, { hosts }: Origins): void {
  const { host } = request.headers;
  // Node keeps the first of several; whatever stands before this daemon may have looked at the last.
  const count = request.rawHeaders.filter((name, place) => place % 2 === 0 && name.toLowerCase() === "host").length;
  const { six, name } = hostForm.exec(host ?? "")?.groups ?? {};
  const known = (six ?? name)?.toLowerCase();
  if (count < 2 && known !== undefined && (known === "localhost" || isIP(known) !== 0 || hosts.has(known))) return;
  const fix = `if this is its name, list it under \`allowed_hosts\``;
  throw forbidden(`this daemon does not answer to the host '${clip(host ?? "")}'; ${fix}`, "host");
}

/** Throws if a page of another origin sent it; gives that origin if it is allowed. */
export function checkOrigin(request: Pick<IncomingMessage, "headers" | "method">, { origins }: Origins): string | null {
  const { origin, host } = request.headers;
  if (origin === undefined) return (checkSite(request), null);
  if (isOwn(origin, host ?? "")) return null;
  if (origins.has(origin)) return origin;
  const fix = "if it may, list it under `allowed_origins`";
  throw forbidden(`a page of '${clip(origin)}' may not call this daemon; ${fix}`, "origin");
}

function isOwn(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false;
  const { protocol, host: named } = new URL(origin);
  if (protocol !== "http:" && protocol !== "https:") return false;
  // TLS may end before this daemon, so the protocol is the page's: it says which port goes without saying.
  const own = `${protocol}//${host}`;
  return URL.canParse(own) && new URL(own).host === named;
}

// Browsers send no Origin with images, scripts, links and forms that only read; but they say from where it is.
function checkSite({ headers, method }: Pick<IncomingMessage, "headers" | "method">): void {
  const site = first(headers, "sec-fetch-site");
  if (site === undefined || site === "same-origin" || site === "none") return;
  const isRead = method === "GET" || method === "HEAD";
  const isOpened = first(headers, "sec-fetch-mode") === "navigate" && first(headers, "sec-fetch-dest") === "document";
  if (isRead && isOpened) return;
  throw forbidden("a page of another origin may not call this daemon, nor hold a page of it", "site");
}

function first(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const forbidden = (message: string, reason: string): TroupeError => new TroupeError("FORBIDDEN", message, { reason });
