// Goal: what is wrong with a sign-in is said by the name that it was given under, and holds no secret.
// Real servers, each with its own way in, are tried in test/daemon/sign-in.test.ts.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Names, refused, serverOf, unsafeIn } from "../../src/transport/nats-sign-in.ts";

const names: Names = {
  url: "theUrl",
  creds: "theCreds",
  key: "theKey",
  ca: "theCa",
  cert: "theCert",
  certKey: "theCertKey",
  inTheOpen: "theLeave",
};
const folder = mkdtempSync(join(tmpdir(), "troupe-sign-in-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("NI1: what is known otherwise counts: TLS, a sign-in, both", () => {
  const far = { url: "nats://there.example" };
  expect(unsafeIn(far, names, { isTls: true, isKnown: true })).toBeUndefined();
  expect(unsafeIn(far, names, { isTls: true })?.lacks).toEqual([expect.stringContaining("a sign-in")]);
  expect(unsafeIn(far, names, { isKnown: true })?.lacks).toEqual([expect.stringContaining("TLS")]);
  const both = unsafeIn(far, names);
  expect(both && refused(both, names).message).toMatch(
    /there\.example .* TLS .*theCa.* and a sign-in .*theLeave allows/,
  );
});

describe("before anything is opened", () => {
  test("NI2: an address that is none, and a certificate without its key, are called as they were said", () => {
    expect(() => unsafeIn({ url: "http://x" }, names)).toThrow(/theUrl must be addresses/);
    expect(() => unsafeIn({ url: "nats://127.0.0.1", cert: "c" }, names)).toThrow(/theCert and theCertKey/);
  });

  test.each([
    ["key", /theKey names a file that holds no seed of an nkey/],
    ["creds", /theCreds names a file that holds no credentials/],
  ] as const)("NI2: a file that holds no %s is refused, and its content is not shown", async (field, says) => {
    const file = join(folder, field);
    writeFileSync(file, "lovelace\n");
    const opened = serverOf({ url: "nats://127.0.0.1", [field]: file }, names);
    await expect(opened).rejects.toThrow(says);
    await expect(opened).rejects.toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("lovelace") as string }),
    );
    const none = serverOf({ url: "nats://127.0.0.1", [field]: join(folder, "none") }, names);
    await expect(none).rejects.toThrow(/cannot be read/);
  });
});
