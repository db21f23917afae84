// Goal: what is not safe to listen on is refused before anything is open, with what to do.
// Method: addresses one after the other; certificates and keys as files that are spoiled by hand.

import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkBind, readTls } from "../../src/gateway/bind.ts";
import { isLoopback } from "../../src/protocol/loopback.ts";
import { writeCertificate } from "../kit/certificate.ts";

const bind = (host: string, more: Partial<Parameters<typeof checkBind>[0]> = {}) => {
  return (): void => checkBind({ host, tokens: undefined, tls: undefined, tlsEndsElsewhere: false, ...more });
};

test("BD1: on loopback nothing is needed", () => {
  for (const host of ["localhost", "127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"]) bind(host)();
});

test("BD1: where others can come, tokens and TLS are needed, and what is missing is named with its fix", () => {
  for (const host of ["0.0.0.0", "::", "192.168.1.7", "troupe.example.org", "127.0.0.1.example.org", "128.0.0.1", ""]) {
    expect(isLoopback(host), host).toBe(false);
    expect(bind(host), host).toThrow(/troupe token create.*--tls-cert.*127\.0\.0\.1/s);
    expect(bind(host, { tokens: {} }), host).toThrow(/needs TLS/);
    expect(bind(host, { tls: {} }), host).toThrow(/needs tokens/);
    expect(bind(host, { tlsEndsElsewhere: true }), host).toThrow(/needs tokens/);
    bind(host, { tokens: {}, tls: {} })();
    bind(host, { tokens: {}, tlsEndsElsewhere: true })();
  }
});

test("a certificate and a key that do not fit are refused, with the file and the reason", () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-bind-"));
  const tls = writeCertificate(folder);
  const now = Date.now();
  const read = (more: object, at = now) => {
    return () => readTls({ ...tls, ...more }, at);
  };
  expect(read({})()).toMatchObject({ minVersion: "TLSv1.2" });
  expect(read({ cert_file: join(folder, "none") })).toThrow(`${join(folder, "none")} cannot be read`);
  expect(read({ cert_file: tls.key_file })).toThrow("is no certificate");
  chmodSync(tls.cert_file, 0o600);
  expect(read({ key_file: tls.cert_file })).toThrow("is no private key");
  expect(read({}, now + 101 * 366 * 86_400_000)).toThrow("ran out");
  const other = join(folder, "other.pem");
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  writeFileSync(other, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  expect(read({ key_file: other })).toThrow("does not belong to the certificate");
  if (process.platform !== "win32") {
    chmodSync(tls.key_file, 0o644);
    expect(read({})).toThrow(`chmod o-r ${tls.key_file}`);
  }
  rmSync(folder, { recursive: true });
});
