// Goal: a token file lets in whom it should and nobody else, and tells no secret to whoever reads it.
// Method: real files in a directory of their own; a clock that is a number.

import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { allows, createToken, openTokens, readTokens, revokeToken, secretForm } from "../../src/gateway/tokens.ts";

describe("tokens", () => {
  let folder: string;
  let file: string;
  let now: number;
  let reports: string[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "troupe-tokens-"));
    file = join(folder, "tokens.json");
    now = Date.parse("2026-01-01T00:00:00Z");
    reports = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const create = (name: string, scope: "read" | "run" | "admin" = "run", expiresAt: number | null = null): string =>
    createToken(file, { name, scope, expiresAt, now }).secret;
  const open = () =>
    openTokens({ file, now: () => now, report: (level, message) => void reports.push(`${level}: ${message}`) });

  test("a secret finds its token, and only whole", () => {
    const [one, two] = [create("one", "read"), create("two", "admin")];
    const tokens = open();
    expect(tokens.size()).toBe(2);
    expect(tokens.find(one)).toMatchObject({ name: "one", scope: "read" });
    expect(tokens.find(two)).toMatchObject({ name: "two", scope: "admin" });
    for (const wrong of ["", one.slice(0, -1), `${one}x`, one.toUpperCase(), "troupe_", "one"]) {
      expect(tokens.find(wrong), wrong).toBeUndefined();
    }
  });

  test("TK1: the file holds no secret, and what has its hash is not let in", () => {
    const secret = create("one");
    expect(secret).toMatch(new RegExp(`^${secretForm.source}$`));
    const text = readFileSync(file, "utf8");
    expect(text).not.toContain(secret.slice("troupe_".length, 16));
    const [token] = readTokens(file);
    expect(open().find(token?.sha256 ?? "")).toBeUndefined();
    expect(create("two")).not.toBe(secret);
  });

  test("TK2: the last of many tokens is found as the first is", () => {
    const secrets = Array.from({ length: 20 }, (_, place) => create(`token-${place}`));
    const tokens = open();
    expect(secrets.map((secret) => tokens.find(secret)?.name)).toEqual(secrets.map((_, place) => `token-${place}`));
  });

  test.skipIf(process.platform === "win32")("a new file is for its owner alone", () => {
    create("one");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    create("two");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test.skipIf(process.platform === "win32")("TK3: a file that others can read lets nobody in, and says the fix", () => {
    const secret = create("one");
    const tokens = open();
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      chmodSync(file, mode);
      expect(open, mode.toString(8)).toThrow(`chmod 600 ${file}`);
      expect(tokens.find(secret)).toBeUndefined();
    }
    chmodSync(file, 0o600);
    expect(tokens.find(secret)?.name).toBe("one");
  });

  test("TK3: a file that is gone or spoiled lets nobody in, is reported once, and is read again when mended", () => {
    const secret = create("one");
    const text = readFileSync(file, "utf8");
    const tokens = open();
    for (const spoil of [
      () => rmSync(file),
      () => writeFileSync(file, text.slice(0, 40), { mode: 0o600 }),
      () => writeFileSync(file, text.replace('"run"', '"root"'), { mode: 0o600 }),
      () => writeFileSync(file, text.replace('"sha256"', '"sha512"'), { mode: 0o600 }),
    ]) {
      spoil();
      reports = [];
      expect(tokens.find(secret)).toBeUndefined();
      expect(tokens.find(secret)).toBeUndefined();
      expect(reports).toEqual(["error: the tokens cannot be read: nobody is let in"]);
    }
    writeFileSync(file, text, { mode: 0o600 });
    expect(tokens.find(secret)?.name).toBe("one");
  });

  test("TK4: what is revoked is out at once, and what was changed too", () => {
    const secret = create("one");
    const other = create("other");
    const tokens = open();
    const [caller, stays] = [tokens.find(secret), tokens.find(other)];
    expect(caller?.isValid()).toBe(true);
    revokeToken(file, "one");
    expect(caller?.isValid()).toBe(false);
    expect(tokens.find(secret)).toBeUndefined();
    expect(stays?.isValid()).toBe(true);
    const again = create("one");
    expect(caller?.isValid()).toBe(false);
    expect(tokens.find(again)?.isValid()).toBe(true);
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"run"', '"read"'), { mode: 0o600 });
    expect(stays?.isValid()).toBe(false);
    expect(tokens.find(other)?.scope).toBe("read");
  });

  test("TK4: a token ends at its time, also for whoever came in before", () => {
    const secret = create("one", "run", now + 1_000);
    const caller = open().find(secret);
    now += 999;
    expect(caller?.isValid()).toBe(true);
    now += 1;
    expect(caller?.isValid()).toBe(false);
    expect(open().find(secret)).toBeUndefined();
  });

  test("a name is used once, is a plain word, and the nearest is named when it is missed", () => {
    create("backup");
    expect(() => create("backup")).toThrow("revoke it first");
    for (const name of ["", "a b", "../x", "a".repeat(65), "-x", "__proto__"])
      expect(() => create(name)).toThrow("name");
    expect(() => revokeToken(file, "backp")).toThrow("did you mean 'backup'?");
    expect(readTokens(file)).toHaveLength(1);
    expect(() => readTokens(join(folder, "none"))).toThrow("troupe token create --token-file");
  });

  test("a scope allows what those before it do", () => {
    expect([allows("read", "read"), allows("run", "read"), allows("admin", "run")]).toEqual([true, true, true]);
    expect([allows("read", "run"), allows("run", "admin"), allows("read", "admin")]).toEqual([false, false, false]);
  });
});
