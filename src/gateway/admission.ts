// The decision at the door: who asks, and whether that may be; nothing of a body was read before it.
//
//   request ─▶ url ─▶ Host ─▶ Origin ─▶ token ─▶ rate ─▶ scope ─▶ let in         each can refuse
//
// A secret ends here: what comes after sees the caller's name and scope, and neither header nor query hold it any more.

import type { IncomingMessage } from "node:http";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { GuardLimits } from "./guard-limits.ts";
import { checkHost, checkOrigin, type Origins } from "./origin.ts";
import { clientAt, openRate } from "./rate.ts";
import { allows, type Caller, type Scope, type Tokens } from "./tokens.ts";

export type Needs = {
  scope: Scope | "open";
  /** Whether a token counts that stands in the query. */
  inQuery: boolean;
  /** Other origins than all else may have. */
  origins?: Origins;
};

/** `caller` is null where everybody may; `origin` is the other origin that may hear the answer, too. */
export type Admitted = { caller: Caller | null; origin: string | null };

type Means = {
  limits: GuardLimits;
  /** Whether anybody's requests are counted. */
  isCounted: boolean;
  origins: Origins;
  tokens: Tokens | undefined;
  now: () => number;
  refused: (reason: string) => void;
};

/** Everybody, where there are no tokens. */
export const local: Caller = { name: "local", scope: "admin", isValid: () => true };
/** Of the requests that a client has, a refused one takes so many. */
const refusedCost = 20;

export function openAdmission({ limits, isCounted, origins, tokens, now, refused }: Means) {
  const { requestsPerSecond: perSecond, requestBurst, clients } = limits;
  const rate = openRate({ perSecond, burst: Math.max(requestBurst, refusedCost), clients, now });

  /** Counts a request; throws if there were too many of that client. */
  function count(client: string, cost: number): void {
    const waitMs = isCounted ? rate.take(client, cost) : 0;
    if (waitMs === 0) return;
    throw new TroupeError("RATE_LIMITED", `more than ${perSecond} requests a second; try again in ${waitMs} ms`, {
      limit: "requestsPerSecond",
      max: perSecond,
      retry_after_ms: waitMs,
    });
  }

  function callerOf(secret: string | undefined): Caller {
    if (tokens === undefined) return local;
    const caller = secret === undefined ? undefined : tokens.find(secret);
    if (caller) return caller;
    const says = secret === undefined ? "a token is needed" : "this token is unknown, revoked or over its time";
    const fix = "send `Authorization: Bearer <token>`; `troupe token create` makes one";
    throw new TroupeError("UNAUTHENTICATED", `${says}: ${fix}`);
  }

  function decide(request: IncomingMessage, needs: Needs, secret: string | undefined): Admitted {
    checkUrl(request, limits.urlChars);
    checkHost(request, origins);
    const origin = checkOrigin(request, needs.origins ?? origins);
    const isOpen = needs.scope === "open" || isPreflight(request, origin);
    const caller = isOpen ? null : callerOf(secret);
    // Tokens are clients, wherever they come from; whoever has none is an address.
    count(caller && caller !== local ? `token ${caller.name}` : addressOf(request), 1);
    if (caller && needs.scope !== "open" && !allows(caller.scope, needs.scope)) throw lacks(caller, needs.scope);
    return { caller, origin };
  }

  /** Throws UNAUTHENTICATED, FORBIDDEN or RATE_LIMITED; or what is wrong with the path. */
  return (request: IncomingMessage, needs: Needs): Admitted => {
    const secret = takeSecret(request, needs.inQuery);
    try {
      return decide(request, needs, secret);
    } catch (thrown) {
      const error = fromUnknown(thrown);
      const { reason } = error.details;
      refused(typeof reason === "string" ? reason : error.code);
      if (error.code !== "RATE_LIMITED") count(addressOf(request), refusedCost);
      throw error;
    }
  };
}

const addressOf = ({ socket }: IncomingMessage): string => clientAt(socket.remoteAddress);

const lacks = ({ name, scope }: Caller, needs: Scope): TroupeError =>
  new TroupeError("FORBIDDEN", `the token '${name}' may ${scope}; this needs one that may ${needs}`, {
    reason: "scope",
    has: scope,
    needs,
  });

const bearerForm = /^bearer +([\w~+/.=-]{1,512}) *$/i;
const queryForm = /([?&])access_token=([^&#]*)(&|$)/;

/** Takes the secret out of the request, from wherever it is; it counts from the header, or from the query if it may. */
function takeSecret(request: IncomingMessage, inQuery: boolean): string | undefined {
  const fromHeader = bearerForm.exec(request.headers.authorization ?? "")?.[1];
  // Webhooks may come with credentials of another kind.
  if (fromHeader !== undefined) delete request.headers.authorization;
  let fromQuery: string | undefined;
  for (let found = queryForm.exec(request.url ?? ""); found; found = queryForm.exec(request.url ?? "")) {
    fromQuery ??= found[2];
    request.url = request.url?.replace(queryForm, (_all, before: string, _secret, after: string) =>
      after === "" ? "" : before,
    );
  }
  return fromHeader ?? (inQuery ? fromQuery : undefined);
}

function checkUrl({ url = "" }: IncomingMessage, charsMax: number): void {
  if (url.length > charsMax) {
    const message = `the URL has ${url.length} characters, at most ${charsMax} are allowed`;
    throw new TroupeError("PAYLOAD_TOO_LARGE", message, { limit: "urlChars", max: charsMax });
  }
  // The absolute form is for proxies, and names a host of its own.
  if (!url.startsWith("/")) throw new TroupeError("INVALID_ENVELOPE", "the path must begin with a slash");
}

/** What a browser asks before it lets a page of an allowed origin call. */
export const isPreflight = ({ method, headers }: IncomingMessage, origin: string | null): boolean =>
  origin !== null && method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
