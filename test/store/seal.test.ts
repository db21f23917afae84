// Goal: with a key nothing of a content can be read from the files, and all of it by the store; no key does no harm.
// Method: the store contract once more, sealed; the bytes of real files searched; keys changed, lost and mixed up.

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addKey, readKeyFile } from "../../src/store/key-file.ts";
import { type SealKey, sealKeyOf, sealOf } from "../../src/store/seal.ts";
import type { Row, Store, Unit } from "../../src/store/store.ts";
import { committed, storeContract } from "./contract.ts";
import { makeSqliteBed, type SqliteBed } from "./sqlite-bed.ts";

const keyOf = (letter: string): SealKey => sealKeyOf(Buffer.alloc(32, letter));
const [first, second, third] = [keyOf("a"), keyOf("b"), keyOf("c")];

storeContract("sealed SQLite", () => makeSqliteBed({ keys: [first] }), 4);

describe("a seal", () => {
  const seal = sealOf([first, second]);
  const older = sealOf([second]);

  test("SL1: what was sealed opens at its place, and neither elsewhere nor changed", () => {
    for (const text of ["", "{}", "ä".repeat(10_000), "\u0000", "sealed.1.00000000.AAAA"]) {
      const sealed = seal?.text(text, "record/1") ?? "";
      expect(sealed).not.toBe(seal?.text(text, "record/1"));
      expect(seal?.openText(sealed, "record/1")).toBe(text);
      expect(() => seal?.openText(sealed, "record/2")).toThrow();
      for (const place of [20, 40, 60, sealed.length - 2]) {
        const other = sealed[place] === "A" ? "B" : "A";
        expect(() => seal?.openText(sealed.slice(0, place) + other + sealed.slice(place + 1), "record/1")).toThrow();
      }
      expect(() => seal?.openText(sealed.slice(0, -4), "record/1")).toThrow();
    }
    const bytes = randomBytes(1_000);
    const sealed = seal?.bytes(bytes, "blob/1") ?? bytes;
    expect(Buffer.from(seal?.openBytes(sealed, "blob/1") ?? [])).toEqual(bytes);
    expect(() => seal?.openBytes(sealed, "blob/2")).toThrow();
  });

  test("SL2: the first key seals, all open, and what was never sealed is given as it is", () => {
    const before = older?.text("before", "note/a") ?? "";
    expect(seal?.openText(before, "note/a")).toBe("before");
    expect(() => older?.openText(seal?.text("after", "note/a") ?? "", "note/a")).toThrow();
    expect(seal?.openText('{"plain":1}', "note/a")).toBe('{"plain":1}');
    expect(seal?.names("one")).toContain(older?.name("one"));
    expect(seal?.name("one")).not.toBe(older?.name("one"));
    expect(sealOf([])).toBeUndefined();
  });
});

describe("a sealed directory", () => {
  let bed: SqliteBed;
  beforeEach(() => (bed = makeSqliteBed()));
  afterEach(() => bed.clear());

  const words = [
    "PLAINBODY",
    "PLAINTEXT",
    "PLAINLABEL",
    "PLAINROW",
    "PLAINPOINT",
    "PLAINNOTE",
    "PLAINKEY",
    "PLAINPRINT",
  ];
  const row = (place: number): Row => ({
    execId: `exec-${place}`,
    entity: "workflow",
    id: "refund",
    run: `run-${place}`,
    parent: null,
    status: "SUCCESS",
    attempt: 1,
    correlationId: "corr",
    createdAt: 1_000 + place,
    endedAt: null,
    errorCode: null,
    text: `PLAINTEXT ${place}`,
    labels: { customer: `PLAINLABEL ${place}` },
    body: `{"a":"PLAINROW ${place}"}`,
  });
  const unit = (seq: number, size = 10): Unit => ({
    records: [{ seq, run: `run-${seq}`, at: seq, line: seq, lines: 1, body: `{"b":"${"PLAINBODY ".repeat(size)}"}` }],
    runs: [{ run: `run-${seq}`, dueAt: null, state: "waiting", at: seq }],
    rows: [row(seq)],
    checkpoints: [{ run: `run-${seq}`, seq, body: `{"c":"PLAINPOINT"}` }],
    keys: [{ key: `PLAINKEY ${seq}`, execId: `exec-${seq}`, fingerprint: "PLAINPRINT", expiresAt: 9_999 }],
  });
  const write = async (store: Store, seq: number, size?: number): Promise<void> => {
    store.setNote(`note-${seq}`, "PLAINNOTE");
    store.append(unit(seq, size));
    await committed(store, seq);
  };
  const found = async (store: Store, seq: number): Promise<void> => {
    const expected = unit(seq);
    expect((await store.read({ limit: 1, afterSeq: seq - 1 }))[0]?.body).toContain("PLAINBODY");
    expect(store.load(`run-${seq}`)?.checkpoint?.body).toBe(expected.checkpoints?.[0]?.body);
    expect(store.row(`exec-${seq}`)).toEqual(row(seq));
    expect(store.key(`PLAINKEY ${seq}`, 1)).toEqual(expected.keys?.[0]);
    expect(store.note(`note-${seq}`)).toBe("PLAINNOTE");
  };
  const wordsIn = (folder: string): string[] => {
    const all = readdirSync(folder).map((name) => readFileSync(join(folder, name)).toString("latin1"));
    return words.filter((word) => all.some((text) => text.includes(word)));
  };

  test("holds no word of what was written in any of its files, and neither does a backup", async () => {
    const store = bed.openWith({ keys: [first], blobBytes: 1_000 });
    await write(store, 1);
    await write(store, 2, 500);
    await store.rebuild([row(1), row(2)]);
    await store.backup(join(bed.directory(), "copy"));
    expect(wordsIn(bed.directory())).toEqual([]);
    await found(store, 1);
    await found(store, 2);
    await store.close();
    expect(wordsIn(bed.directory())).toEqual([]);
  });

  test("is searched by text and by labels as any other", async () => {
    const store = bed.openWith({ keys: [first] });
    for (const seq of [1, 2, 3]) await write(store, seq);
    const ids = async (query: object): Promise<string[]> =>
      (await store.find({ ...query, limit: 10 })).rows.map(({ execId }) => execId);
    expect(await ids({ text: "plaintext 2" })).toEqual(["exec-2"]);
    expect(await ids({ labels: { customer: "PLAINLABEL 3" } })).toEqual(["exec-3"]);
    expect(await store.count({ text: "plaintext" }, "status")).toEqual({ SUCCESS: 3 });
    await store.close();
  });

  const refusalOf = (act: () => unknown): { message: string; reason: unknown } => {
    try {
      act();
    } catch (error) {
      const { message, details } = error as { message: string; details: Record<string, unknown> };
      return { message, reason: details["reason"] };
    }
    throw new Error("nothing was refused");
  };

  test("without its key, or with another, is refused before anything is changed, and opens with it then", async () => {
    const store = bed.openWith({ keys: [first] });
    await write(store, 1);
    await store.close();
    const before = readFileSync(join(bed.directory(), "troupe.db"));
    const without = refusalOf(() => bed.openWith({}));
    expect(without).toMatchObject({ reason: "store_sealed" });
    expect(without.message).toContain(`sealed with the key ${first.id}: give the key file`);
    const wrong = refusalOf(() => bed.openWith({ keys: [second] }));
    expect(wrong).toMatchObject({ reason: "store_sealed" });
    expect(wrong.message).toContain(`the key file holds ${second.id}: put it back there`);
    expect(readFileSync(join(bed.directory(), "troupe.db")).equals(before)).toBe(true);
    const again = bed.openWith({ keys: [first] });
    await found(again, 1);
    await again.close();
  });

  test("begins plain and is sealed from then on, and what was written before is still read", async () => {
    const plain = bed.openWith({});
    await write(plain, 1);
    await plain.close();
    const sealed = bed.openWith({ keys: [first] });
    await write(sealed, 2);
    for (const seq of [1, 2]) await found(sealed, seq);
    expect((await sealed.find({ text: "plaintext", limit: 10 })).rows).toHaveLength(2);
    await sealed.close();
    expect(refusalOf(() => bed.openWith({})).reason).toBe("store_sealed");
  });

  test("takes a new key, keeps what the old one sealed, and lets go of it once nothing needs it any more", async () => {
    let store = bed.openWith({ keys: [first] });
    await write(store, 1);
    await store.close();
    store = bed.openWith({ keys: [second, first] });
    await write(store, 2);
    for (const seq of [1, 2]) await found(store, seq);
    await store.close();
    expect(refusalOf(() => bed.openWith({ keys: [second] })).message).toContain(first.id);
    store = bed.openWith({ keys: [second, first] });
    store.append({ records: [], runs: [{ run: "run-1", dueAt: null, state: "ended", at: 5 }], rows: [] });
    expect(await store.prune(20_000, 10)).toBe(1);
    await store.close();
    store = bed.openWith({ keys: [third, second] });
    expect(store.note("note-1")).toBe("PLAINNOTE");
    await store.close();
    expect(refusalOf(() => bed.openWith({ keys: [first] })).message).toMatch(new RegExp(`${second.id}|${third.id}`));
  });

  test("says so when what is in it was changed or moved, and gives nothing out for it", async () => {
    const store = bed.openWith({ keys: [first] });
    await write(store, 1);
    await write(store, 2);
    await store.close();
    bed.tamper("update log set (body, checksum) = (select body, checksum from log where seq = 2) where seq = 1");
    bed.tamper("update rows set body = (select body from rows where exec_id = 'exec-2') where exec_id = 'exec-1'");
    const again = bed.openWith({ keys: [first] });
    await expect(again.read({ limit: 1 })).rejects.toThrow("record 1 does not open with its key");
    expect(() => again.row("exec-1")).toThrow("row exec-1 does not open with its key");
    await found(again, 2);
    await again.close();
  });
});

describe("a key file", () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "troupe-keys-"))));
  afterEach(() => rmSync(folder, { recursive: true }));

  test("is made for its owner alone, and a new key goes before the old ones", () => {
    const file = join(folder, "keys");
    const one = addKey(file);
    const two = addKey(file);
    expect(readKeyFile(file).map(({ id }) => id)).toEqual([two, one]);
    copyFileSync(file, join(folder, "copy"));
    chmodSync(file, 0o644);
    expect(() => readKeyFile(file)).toThrow(`chmod 600 ${file}`);
    expect(() => addKey(file)).toThrow(`chmod 600 ${file}`);
    expect(readdirSync(folder).sort()).toEqual(["copy", "keys"]);
  });

  test("takes both ways to write a key, and says which line is none without saying what it is", () => {
    const file = join(folder, "keys");
    const key = randomBytes(32);
    const put = (text: string): void => writeFileSync(file, text, { mode: 0o600 });
    put(`# a comment\n\n${key.toString("hex")}\n${key.toString("base64")}\r\n`);
    expect(readKeyFile(file)).toEqual([sealKeyOf(key), sealKeyOf(key)]);
    put(`${key.toString("hex")}\nMYSECRETKEY\n`);
    expect(() => readKeyFile(file)).toThrow(/line 2 is no key(?!.*MYSECRET)/);
    put("# nothing\n");
    expect(() => readKeyFile(file)).toThrow("there is no key in it");
    expect(existsSync(join(folder, "none"))).toBe(false);
    expect(() => readKeyFile(join(folder, "none"))).toThrow("troupe key create");
  });
});
