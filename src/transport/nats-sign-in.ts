// Who a process is at a NATS server that is there already, and whether it is safe to speak there at all.
//
// Invariants:
//   NI1. A server that others can reach is refused without TLS or without a sign-in, unless that is allowed.
//   NI2. What is wrong is called by the name that it was said under, and no message holds a secret.

import { readFileSync } from "node:fs";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isLoopback } from "../protocol/loopback.ts";
import type { NatsOptions } from "./nats.ts";

/** What may be said; null and undefined are nothing. */
export type Way = {
  /** Addresses, with commas between them; before each may stand a name and a word, or a token. */
  url: string;
  /** Paths of files. */
  creds?: string | null | undefined;
  key?: string | null | undefined;
  ca?: string | null | undefined;
  cert?: string | null | undefined;
  certKey?: string | null | undefined;
};
/** What each of them is called where it was said, and what allows to do without safety. */
export type Names = { readonly [field in keyof Required<Way> | "inTheOpen"]: string };

type Address = { server: string; host: string; isTls: boolean; name?: string; word?: string };
/** What is known of it in another way. */
export type Otherwise = { isTls?: boolean; isKnown?: boolean };
/** Who could listen in or come in, and what is missing against it. */
export type Unsafe = { hosts: string; lacks: string[] };

const form = /^(?:([a-z]+):\/\/)?(?:([^:@/]*)(?::([^@/]*))?@)?((\[[^\]]+\]|[^:/@]+)(?::\d+)?)\/?$/i;
const seedForm = /^S[A-Z2-7]{57,}$/;
const isSaid = (value: string | null | undefined): value is string => value !== null && value !== undefined;

/** As they were said: names and words may stand before the address, as in that of a page. */
function addressesIn(url: string, names: Names): Address[] {
  return url.split(",").map((text): Address => {
    const [, scheme = "nats", name, word, server = "", host = ""] = form.exec(text.trim()) ?? [];
    if (server === "" || !["nats", "tls"].includes(scheme.toLowerCase())) {
      throw invalid(names.url, "must be addresses such as nats://127.0.0.1:4222 or tls://name:word@there:4222");
    }
    const said = {
      ...(name !== undefined && { name: decoded(name, names) }),
      ...(word !== undefined && { word: decoded(word, names) }),
    };
    const known = scheme.toLowerCase();
    return { server: `${known}://${server}`, host, isTls: known === "tls", ...said };
  });
}

function decoded(text: string, names: Names): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(names.url, "has a name or a word with a % that stands for nothing: write %25 for it");
  }
}

/** What an address that others can reach lacks, before anything is opened; nothing if all is well. */
export function unsafeIn(way: Way, names: Names, otherwise: Otherwise = {}): Unsafe | undefined {
  if (isSaid(way.cert) !== isSaid(way.certKey)) {
    throw invalid(names.cert, `needs its key, and the key needs it: give ${names.cert} and ${names.certKey}`);
  }
  const addresses = addressesIn(way.url, names);
  const far = addresses.filter(({ host }) => !isLoopback(host));
  const lacks = lacking(way, addresses, names, otherwise);
  return far.length === 0 || lacks.length === 0 ? undefined : { hosts: far.map(({ host }) => host).join(", "), lacks };
}

function lacking(way: Way, addresses: readonly Address[], names: Names, otherwise: Otherwise): string[] {
  const { creds, key, cert } = way;
  const isSecret = otherwise.isTls === true || tlsIn(way, addresses) || addresses.every(({ isTls }) => isTls);
  const isKnown = otherwise.isKnown === true || [creds, key, cert].some(isSaid);
  return [
    ...(isSecret ? [] : [`TLS (an address that begins with tls://, or ${names.ca})`]),
    ...(isKnown || addresses.every(({ name }) => name !== undefined)
      ? []
      : [`a sign-in (${names.creds}, ${names.key}, ${names.cert}, or a name and a word in the address)`]),
  ];
}
const tlsIn = ({ ca, cert }: Way, addresses: readonly Address[]): boolean =>
  isSaid(ca) || isSaid(cert) || addresses.some(({ isTls }) => isTls);

export function refused({ hosts, lacks }: Unsafe, names: Names): TroupeError {
  const message =
    `the NATS server at ${hosts} can be reached by others, and that needs ${lacks.join(" and ")}; ` +
    `where the network itself is safe, ${names.inTheOpen} allows to do without`;
  return new TroupeError("VALIDATION_FAILED", message, { reason: "unsafe_nats" });
}

/** As the client of NATS takes it: credentials, or a key, or a name with its word, or a token; and certificates. */
export async function serverOf(way: Way, names: Names): Promise<NatsOptions["server"]> {
  const { credsAuthenticator, nkeyAuthenticator } = await import("./nats-client.ts");
  const { creds, key, ca, cert, certKey } = way;
  const addresses = addressesIn(way.url, names);
  const [{ name, word }] = addresses as [Address];
  const known = name !== undefined && (word === undefined ? { token: name } : { user: name, pass: word });
  const certificates = {
    ...(isSaid(ca) && { ca: textOf(names.ca, ca) }),
    ...(isSaid(cert) && { cert: textOf(names.cert, cert) }),
    ...(isSaid(certKey) && { key: textOf(names.certKey, certKey) }),
  };
  return {
    servers: addresses.map(({ server }) => server),
    ...(tlsIn(way, addresses) && { tls: certificates }),
    ...(isSaid(creds)
      ? { authenticator: credsAuthenticator(bytesOf(credsIn(names.creds, creds))) }
      : isSaid(key)
        ? { authenticator: nkeyAuthenticator(bytesOf(seedIn(names.key, key))) }
        : known),
  };
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function seedIn(name: string, file: string): string {
  const text = textOf(name, file).trim();
  if (seedForm.test(text)) return text;
  throw invalid(name, `names a file that holds no seed of an nkey (one line that begins with SU): ${file}`);
}
function credsIn(name: string, file: string): string {
  const text = textOf(name, file);
  if (/BEGIN NATS USER JWT/.test(text) && /BEGIN USER NKEY SEED/.test(text)) return text;
  throw invalid(name, `names a file that holds no credentials of NATS (a JWT and its seed): ${file}`);
}

function textOf(name: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw invalid(name, `cannot be read: ${fromUnknown(error).message}`);
  }
}

const invalid = (field: string, message: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", `this cannot be: ${field} ${message}`, { errors: [{ field, message }] });
