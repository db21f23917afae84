// Goal: a daemon is let in by whatever a NATS server wants of it, and goes nowhere where it could be listened to.
// Method: settings alone for what is refused; real servers, each with its own way in, for what works.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../src/actors/clock.ts";
import { mergedFrom } from "../../src/daemon/config.ts";
import { checkSignIn, signIn } from "../../src/daemon/sign-in.ts";
import { type NatsServer, startNatsServer } from "../../src/transport/nats-server.ts";
import { openNats } from "../../src/transport/nats.ts";
import { writeCertificate } from "../kit/certificate.ts";
import { silent } from "../kit/nats.ts";

const given = (flags: Record<string, unknown>) => mergedFrom({ flags }).settings;
const check = (flags: Record<string, unknown>): string[] => {
  const said: string[] = [];
  checkSignIn(given(flags), (_level, message) => void said.push(message));
  return said;
};

describe("before anything is opened", () => {
  test.each([
    {},
    { nats_url: "nats://127.0.0.1:4222" },
    { nats_url: "nats://localhost:4222,nats://[::1]:4222" },
    { nats_url: "tls://there.example:4222", nats_creds: "x" },
    { nats_url: "nats://there.example:4222", nats_ca: "ca.pem", nats_key: "x" },
    { nats_url: "tls://ada:word@there.example:4222" },
    { nats_url: "nats://there.example", nats_cert: "c", nats_cert_key: "k" },
  ])("SI1: %j is safe enough", (flags) => {
    expect(check(flags)).toEqual([]);
  });

  test.each([
    [{ nats_url: "nats://10.0.0.5:4222" }, /TLS .* and a sign-in/],
    [{ nats_url: "tls://there.example:4222" }, /needs a sign-in/],
    [{ nats_url: "nats://ada:word@there.example" }, /needs TLS/],
    [{ nats_url: "tls://127.0.0.1,nats://there.example", nats_key: "x" }, undefined],
    [{ nats_url: "nats://127.0.0.1,nats://there.example", nats_key: "x" }, /needs TLS/],
  ])("SI1: %j is refused with what it lacks, unless a setting allows it, and that is said", (flags, says) => {
    if (says === undefined) return expect(check(flags)).toEqual([]);
    expect(() => check(flags)).toThrow(says);
    expect(check({ ...flags, nats_in_the_open: true })).toEqual([
      "what goes over NATS is not safe there: nats_in_the_open allows it",
    ]);
  });

  test("what is no address, and a certificate without its key, are refused", () => {
    for (const nats_url of ["http://127.0.0.1", "nats://", "nats://%zz@127.0.0.1"]) {
      expect(() => check({ nats_url })).toThrow(/nats_url/);
    }
    expect(() => check({ nats_cert: "x" })).toThrow(/nats_cert_key/);
  });

  test("no message holds the word of an address", () => {
    expect(() => check({ nats_url: "nats://ada:lovelace@there.example" })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("lovelace") as string }),
    );
  });
});

describe("on real servers", () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-sign-in-"));
  const clock = systemClock();
  const user = nkeys.createUser();
  const keyFile = join(folder, "user.nk");
  let server: NatsServer;
  let tls: NatsServer;
  let tokens: NatsServer;
  let cert_file = "";
  let key_file = "";

  beforeAll(async () => {
    writeFileSync(keyFile, new TextDecoder().decode(user.getSeed()));
    ({ cert_file, key_file } = writeCertificate(folder));
    const start = (name: string, more: object): Promise<NatsServer> =>
      startNatsServer({ directory: join(folder, name), clock, report: silent, ...more });
    const users = [`{ user: ada, password: "a:word%" }`, `{ nkey: ${user.getPublicKey()} }`];
    server = await start("plain", { users });
    const both = `cert_file: "${cert_file}", key_file: "${key_file}", ca_file: "${cert_file}", verify: true`;
    tls = await start("tls", { users, extra: `tls { ${both} }` });
    tokens = await start("token", { extra: `authorization { token: "a-token" }` });
  });
  afterAll(async () => {
    await Promise.all([server.stop(), tls.stop(), tokens.stop()]);
    rmSync(folder, { recursive: true });
  });

  const open = async (flags: Record<string, unknown>): Promise<void> => {
    const transport = await openNats({ server: await signIn(given(flags)), prefix: "p", clock, report: silent });
    await transport.close();
  };
  const host = (of: NatsServer): string => of.url().slice("nats://".length);

  test("by a name and a word, a key, a token", async () => {
    await open({ nats_url: `nats://ada:a%3Aword%25@${host(server)}` });
    await open({ nats_url: server.url(), nats_key: keyFile });
    await open({ nats_url: `nats://a-token@${host(tokens)}` });
    await expect(open({ nats_url: `nats://ada:wrong@${host(server)}` })).rejects.toThrow(/authorization/i);
    await expect(open({ nats_url: server.url(), nats_key: join(folder, "none") })).rejects.toThrow(
      /nats_key cannot be read/,
    );
  });

  test("by TLS, with a certificate of its own, and not without who vouches for the server", async () => {
    const own = { nats_cert: cert_file, nats_cert_key: key_file };
    await open({ nats_url: tls.url(), nats_ca: cert_file, ...own, nats_key: keyFile });
    await open({ nats_url: `tls://ada:a%3Aword%25@${host(tls)}`, nats_ca: cert_file, ...own });
    await expect(open({ nats_url: `tls://${host(tls)}`, ...own, nats_key: keyFile })).rejects.toThrow(/certificate/i);
  });

  test("where TLS is wanted, a server without it is left at once", async () => {
    await expect(open({ nats_url: `tls://${host(server)}`, nats_key: keyFile })).rejects.toThrow(/tls/i);
  });
});
