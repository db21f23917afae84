// Who may come in: tokens in a file, each with a name, a scope and perhaps an end; the secrets are not in it.
//
//   create ─▶ secret, shown once      file: name, scope, sha-256 of the secret
//   request ─ secret ─▶ find ─▶ caller        the file is read again whenever it has changed
//
// A secret has 256 random bits, so its plain hash tells nobody anything: there is nothing to guess.
//
// Invariants:
//   TK1. No secret is in the file, and none can be had from it.
//   TK2. Every token of the file is compared with what was given, whole, whichever of them it is.
//   TK3. A file that others can read lets nobody in, nor does one that is gone or spoiled.
//   TK4. What was revoked or has run out is so for the next question, also for whoever came in before.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as z from "zod";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import type { Report } from "../protocol/report.ts";

/** Each allows what those before it do. */
export const scopes = ["read", "run", "admin"] as const;
export type Scope = (typeof scopes)[number];

export const allows = (has: Scope, needs: Scope): boolean => scopes.indexOf(has) >= scopes.indexOf(needs);

/** Whoever came in. */
export type Caller = {
  readonly name: string;
  readonly scope: Scope;
  /** Whether the token still lets in: for what stays open. */
  isValid(): boolean;
};

const tokenShape = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$/),
  scope: z.enum(scopes),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  created_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
});
const fileShape = z.strictObject({ version: z.literal(1), tokens: z.array(tokenShape).max(1_000) });

/** A token as it stands in the file. */
export type Token = z.infer<typeof tokenShape>;

/** What every secret looks like, so that it is known wherever it turns up. */
export const secretForm = /troupe_[A-Za-z0-9_-]{43}/;

const secretBytes = 32;
const othersMay = 0o077;

const hashOf = (secret: string): Buffer => createHash("sha256").update(secret).digest();

export type Tokens = ReturnType<typeof openTokens>;

type Means = {
  file: string;
  now: () => number;
  report: Report;
};

/** Throws if the file is not there or cannot be used; what happens to it later is reported. */
export function openTokens({ file, now, report }: Means) {
  let mark = markOf(file);
  let known = known256(readTokens(file));

  /** As the file is now. A second read of a file that did not change costs one look at its dates. */
  function current(): readonly Known[] {
    const seen = markOf(file);
    if (seen === mark) return known;
    mark = seen;
    try {
      known = known256(readTokens(file));
      report("info", "the tokens were read again", { file, tokens: known.length });
    } catch (error) {
      known = [];
      report("error", "the tokens cannot be read: nobody is let in", { file, reason: fromUnknown(error).message });
    }
    return known;
  }

  const isCurrent = ({ expires_at }: Token): boolean => expires_at === null || Date.parse(expires_at) > now();

  return {
    /** Whose secret it is. */
    find(secret: string): Caller | undefined {
      const given = hashOf(secret);
      let found: Known | undefined;
      for (const one of current()) if (timingSafeEqual(one.hash, given)) found = one;
      if (!found || !isCurrent(found.token)) return undefined;
      const { name, scope, sha256 } = found.token;
      const isSame = ({ token }: Known): boolean => token.sha256 === sha256 && token.scope === scope;
      return { name, scope, isValid: () => current().some((one) => isSame(one) && isCurrent(one.token)) };
    },
    size: (): number => current().length,
  };
}

type Known = { token: Token; hash: Buffer };
const known256 = (tokens: readonly Token[]): Known[] =>
  tokens.map((token) => ({ token, hash: Buffer.from(token.sha256, "hex") }));

/** Which file it is and how it was left; nothing where there is none. */
function markOf(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.ino}/${found.mtimeNs}/${found.ctimeNs}/${found.size}` : "";
}

/** The tokens of a file; throws where there is none, where it is for others to read, or where it is spoiled. */
export function readTokens(file: string): Token[] {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) {
    const fix = `make the first one with \`troupe token create --token-file ${file}\``;
    throw refused(`there is no token file ${file}; ${fix}`, { file });
  }
  checkPrivate(file, found.mode);
  const parsed = fileShape.safeParse(asJson(file));
  if (parsed.success) return parsed.data.tokens;
  const [first] = parsed.error.issues;
  const at = first?.path.join(".") ?? "";
  throw refused(`${file} is no token file: ${at && `${at}: `}${first?.message}; mend it, or make tokens anew`, {
    file,
  });
}

/** Refuses a file with secrets that others than its owner can read. */
function checkPrivate(file: string, mode: number): void {
  if (process.platform === "win32" || (mode & othersMay) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(3, "0");
  throw refused(`${file} can be read by others (mode ${octal}); close it with \`chmod 600 ${file}\``, { file });
}

function asJson(file: string): unknown {
  const text = readFileSync(file, "utf8");
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refused(`${file} is not JSON; mend it, or make tokens anew`, { file }, { cause: error });
  }
}

const refused = (message: string, details: Readonly<Record<string, unknown>>, options?: ErrorOptions): TroupeError =>
  new TroupeError("VALIDATION_FAILED", message, details, options);

type Wanted = { name: string; scope: Scope; expiresAt: number | null; now: number };

/** Adds a token and gives its secret, which nobody can give again. */
export function createToken(file: string, { name, scope, expiresAt, now }: Wanted): { secret: string; token: Token } {
  const tokens = statSync(file, { throwIfNoEntry: false }) ? readTokens(file) : [];
  if (tokens.some((token) => token.name === name)) {
    const fix = `choose another name, or revoke it first: \`troupe token revoke ${name} --token-file ${file}\``;
    throw refused(`there is a token '${name}' already; ${fix}`, { name });
  }
  const secret = `troupe_${randomBytes(secretBytes).toString("base64url")}`;
  const token: Token = {
    name,
    scope,
    sha256: hashOf(secret).toString("hex"),
    created_at: new Date(now).toISOString(),
    expires_at: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
  const parsed = tokenShape.safeParse(token);
  if (!parsed.success) {
    throw refused(`'${name}' is no name of a token: use letters, digits and _ . @ -, at most 64 of them`, { name });
  }
  writeTokens(file, [...tokens, token]);
  return { secret, token };
}

/** Takes a token away; who came in with it is out. */
export function revokeToken(file: string, name: string): void {
  const tokens = readTokens(file);
  const left = tokens.filter((token) => token.name !== name);
  if (left.length < tokens.length) return writeTokens(file, left);
  const names = tokens.map((token) => token.name);
  const meant = nearest(name, names);
  const hint = meant === undefined ? `there are ${names.join(", ") || "none"}` : `did you mean '${meant}'?`;
  throw refused(`there is no token '${name}'; ${hint}`, { name });
}

/** Whole or not at all, and never readable by others, not even for a moment. */
function writeTokens(file: string, tokens: readonly Token[]): void {
  const part = `${resolve(file)}.${process.pid}.part`;
  mkdirSync(dirname(part), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(part, `${JSON.stringify({ version: 1, tokens }, null, 2)}\n`, {
      mode: 0o600,
      flag: "wx",
      flush: true,
    });
    chmodSync(part, 0o600);
    renameSync(part, file);
  } catch (error) {
    rmSync(part, { force: true });
    throw refused(`${file} cannot be written (${fromUnknown(error).message})`, { file }, { cause: error });
  }
}
