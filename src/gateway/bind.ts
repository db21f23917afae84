// Where the daemon may listen, and with which certificate: what is not safe is refused before anything is open.
//
// Invariants:
//   BD1. An address that others can reach is refused without tokens, and without TLS here or said to be elsewhere.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isLoopback } from "../protocol/loopback.ts";

export type TlsFiles = { cert_file: string; key_file: string; min_version?: "TLSv1.2" | "TLSv1.3" | undefined };
export type Tls = { cert: string; key: string; minVersion: "TLSv1.2" | "TLSv1.3"; honorCipherOrder: true };

/** Throws if others could come in without a token, or be listened to on their way. */
export function checkBind(given: { host: string; tokens: unknown; tls: unknown; tlsEndsElsewhere: boolean }): void {
  const { host, tokens, tls, tlsEndsElsewhere } = given;
  if (isLoopback(host)) return;
  const lacks: string[] = [];
  if (tokens === undefined) lacks.push("tokens (make one with `troupe token create`, then give --token-file)");
  if (tls === undefined && !tlsEndsElsewhere) {
    lacks.push("TLS (give --tls-cert and --tls-key, or --tls-ends-elsewhere if a proxy before it has the certificate)");
  }
  if (lacks.length === 0) return;
  const message = `'${host}' can be reached by others, and that needs ${lacks.join(" and ")}; or listen on 127.0.0.1`;
  throw new TroupeError("VALIDATION_FAILED", message, { host, reason: "unsafe_bind" });
}

const othersMayRead = 0o004;

/** The certificate and its key, read and held against each other. */
export function readTls({ cert_file, key_file, min_version }: TlsFiles, now: number): Tls {
  const cert = textOf(cert_file, "certificate");
  const key = textOf(key_file, "key");
  if (process.platform !== "win32" && (statSync(key_file).mode & othersMayRead) !== 0) {
    throw unusable(`the key ${key_file} can be read by anybody; close it with \`chmod o-r ${key_file}\``, key_file);
  }
  const certificate = parsed(() => new X509Certificate(cert), `${cert_file} is no certificate in PEM form`, cert_file);
  const secret = parsed(() => createPrivateKey(key), `${key_file} is no private key in PEM form`, key_file);
  if (!certificate.checkPrivateKey(secret)) {
    throw unusable(`the key ${key_file} does not belong to the certificate ${cert_file}`, key_file);
  }
  if (certificate.validToDate.getTime() <= now) {
    throw unusable(`the certificate ${cert_file} ran out on ${certificate.validTo}; renew it`, cert_file);
  }
  return { cert, key, minVersion: min_version ?? "TLSv1.2", honorCipherOrder: true };
}

function textOf(file: string, what: string): string {
  return parsed(() => readFileSync(file, "utf8"), `the ${what} ${file} cannot be read`, file);
}

function parsed<T>(act: () => T, says: string, file: string): T {
  try {
    return act();
  } catch (error) {
    throw unusable(`${says} (${fromUnknown(error).message})`, file, error);
  }
}

const unusable = (message: string, file: string, cause?: unknown): TroupeError =>
  new TroupeError("VALIDATION_FAILED", message, { file }, { cause });
