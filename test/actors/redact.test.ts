// Goal: no value of a secret comes out of the one door that handlers speak through, and all else comes out unchanged.
// Method: values in every form and at every place, values and texts drawn at random, texts cut at random.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { charsMin, mark, redactorOf } from "../../src/actors/redact.ts";

const secret = 'sk-live/"quoted"+ä\\42';
const redactor = redactorOf([secret, "12345678", "sk-live/longer-than-the-other"]);
const text = (given: string): string => redactor?.text(given) ?? given;
const value = (given: unknown): unknown => redactor?.value(given);

describe("a text", () => {
  test("RD1: holds a value in none of its forms", () => {
    const forms = [
      secret,
      JSON.stringify(secret),
      JSON.stringify({ body: JSON.stringify({ key: secret }) }),
      `https://example.org/?key=${encodeURIComponent(secret)}&x=1`,
      Buffer.from(secret).toString("base64"),
      Buffer.from(secret).toString("base64url"),
      Buffer.from(secret).toString("hex"),
      `${secret}${secret}`,
    ];
    for (const form of forms) {
      const out = text(`before ${form} after`);
      expect(out).toContain(mark);
      expect(out).toMatch(/^before .* after$/);
      expect(out, form).not.toMatch(/quoted|c2stbGl2ZS|736b2d6c/);
    }
  });

  test("RD1: of a value that begins like another nothing is left", () => {
    const twins = redactorOf(["abcdefgh", "abcdefgh-and-more"]);
    expect(twins?.text("an abcdefgh-and-more, an abcdefgh")).toBe(`an ${mark}, an ${mark}`);
  });

  test("RD1: holds no line of a value of several", () => {
    const lines = [
      "-----BEGIN KEY-----",
      "MIIEvQIBADANBgkqhkiG9w0BAQ",
      "short",
      "EFAASCBKcwggSjAgEAAoIBAQC7",
      "-----END KEY-----",
    ];
    const keyed = redactorOf([lines.join("\n")]);
    expect(keyed?.text(lines.join("\n"))).toBe(mark);
    expect(keyed?.text(`${lines[1]}, ${lines[0]}, ${lines[3]}`)).toBe(`${mark}, ${lines[0]}, ${mark}`);
  });

  test("RD3: comes out no longer, whatever the values are", () => {
    const values = fc.array(fc.string({ minLength: 0, maxLength: 30, unit: "grapheme" }), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(values, fc.array(fc.nat(3)), fc.string(), (secrets, places, between) => {
        const given = places.map((place) => `${between}${secrets[place] ?? ""}`).join("");
        const out = redactorOf(secrets)?.text(given) ?? given;
        expect(out.length).toBeLessThanOrEqual(given.length);
        for (const one of secrets) if (one.length >= charsMin && !mark.includes(one)) expect(out).not.toContain(one);
      }),
    );
  });
});

describe("a value", () => {
  test("RD1: holds none in its texts, keys and numbers, however deep", () => {
    const given = { a: [{ [`key ${secret}`]: [secret, 1] }, 12_345_678, 12_345_678n], b: `x${secret}x` };
    expect(value(given)).toEqual({ a: [{ [`key ${mark}`]: [mark, 1] }, mark, mark], b: `x${mark}x` });
  });

  test("RD1: an error is clean in all it is printed by, and still is what it was", () => {
    const cause = new Error(`inner ${secret}`);
    const error = Object.assign(new TypeError(`outer ${secret}`, { cause }), { details: { key: secret }, code: "A" });
    const out = value(error) as typeof error;
    expect(out).toBeInstanceOf(TypeError);
    expect(out).toMatchObject({ message: `outer ${mark}`, code: "A", details: { key: mark }, name: "TypeError" });
    expect((out.cause as Error).message).toBe(`inner ${mark}`);
    for (const printed of [out.stack ?? "", String(out), JSON.stringify(Object.entries(out))])
      expect(printed).not.toContain("quoted");
    expect(error.message).toContain(secret);
  });

  test("RD1: what has a JSON of its own, contains itself or throws when it is looked at gives nothing away", () => {
    expect(value({ toJSON: () => ({ key: secret }) })).not.toContain(secret);
    class Keeper {
      key = secret;
    }
    expect(value(new Keeper())).toEqual({ key: mark });
    const ring: Record<string, unknown> = { key: secret };
    ring["self"] = ring;
    expect((value(ring) as Record<string, unknown>)["key"]).toBe(mark);
    const sly = {
      get key(): string {
        throw new Error(secret);
      },
    };
    expect(value(sly)).toBe(mark);
  });

  test("RD2: what holds none is the very same", () => {
    const error = Object.assign(new Error("plain"), { details: { a: 1 } });
    const date = new Date(0);
    for (const given of [{ a: [1, { b: "plain" }], c: null }, error, date, [], "plain", 7, undefined, null]) {
      expect(value(given)).toBe(given);
    }
  });

  test("RD1: no JSON that is drawn at random hides one", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.nat(5), { maxLength: 6 }), (given, way) => {
        let planted: unknown = secret;
        for (const turn of way) {
          planted = turn % 2 === 0 ? [given, planted, 1] : { a: given, [`k${turn}`]: planted };
        }
        expect(JSON.stringify(value(planted))).not.toContain("quoted");
      }),
    );
  });
});

describe("a stream", () => {
  test("RD4: however a text is cut into pieces, what comes out is the text without the values", () => {
    const parts = fc.array(fc.oneof(fc.constant(secret), fc.string({ maxLength: 12 }), fc.constant("sk-live/")));
    fc.assert(
      fc.property(parts, fc.array(fc.nat(200), { maxLength: 20 }), (texts, cuts) => {
        const whole = texts.join("");
        const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, whole.length)), whole.length])];
        places.sort((one, other) => one - other);
        const stream = redactor?.stream();
        const out = places.slice(1).map((end, at) => stream?.push(whole.slice(places[at], end)) ?? "");
        expect(out.join("") + (stream?.end() ?? "")).toBe(text(whole));
        for (const piece of out) expect(piece).not.toContain("quoted");
      }),
    );
  });

  test("RD4: what cannot become a value is not held back", () => {
    const stream = redactor?.stream();
    expect([stream?.push("hello "), stream?.push("s"), stream?.push("kip "), stream?.end()]).toEqual([
      "hello ",
      "",
      "skip ",
      "",
    ]);
  });
});

test("without values, or with such as occur everywhere, there is nothing to do", () => {
  expect(redactorOf([])).toBeUndefined();
  expect(redactorOf(["", "short", "1234567"])).toBeUndefined();
  expect(charsMin).toBe(8);
});
