// Goal: docs/asyncapi.json is valid in its own world, complete, and speaks of the real subjects. Method: AsyncAPI's own
// parser as judge, over the document and broken copies; the catalogue and the codec compared with what it says.

import { join } from "node:path";
import { Parser } from "@asyncapi/parser";
import { describe, expect, test } from "vitest";
import { asyncapi as generate } from "../../scripts/docs/asyncapi.ts";
import { exampleOf } from "../../scripts/docs/examples.ts";
import { fileOf } from "../../scripts/docs/schemas.ts";
import { entryOf, keys, type Key } from "../../src/protocol/catalogue.ts";
import { subjectCodec } from "../../src/protocol/subjects.ts";
import { root } from "../kit/tree.ts";
import { field, plain, textAt, type Json } from "./envelopes.ts";

const text = generate()
  .map((document) => document.text)
  .join("");
const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });

type Part = Record<string, Json>;
const asyncapi = JSON.parse(text) as Record<string, Part>;
// 0 is an error, 1 a warning; what is lower is advice.
const severityMax = 1;

/** What AsyncAPI's own parser has against a document. References lead to the files beside it. */
async function verdictOf(document: object): Promise<string[]> {
  const parser = new Parser();
  const source = join(root, "docs/asyncapi.json");
  const { diagnostics } = await parser.parse(JSON.stringify(document), { source });
  return diagnostics
    .filter(({ severity }) => severity <= severityMax)
    .map(({ code, path }) => `${String(code)} at ${path.join("/")}`);
}

/** The same document with one message and what belongs to it. */
function only(key: Key): Record<string, Part> {
  const name = fileOf(key).replace(".schema.json", "");
  const { channels = {}, operations = {}, components = {}, ...rest } = asyncapi;
  const results = Object.keys(channels["inbox"]?.["messages"] ?? {});
  const isKept = ([id]: [string, unknown]): boolean => [name, "inbox", ...results].includes(id);
  const kept = (all: Json = {}): Part => Object.fromEntries(Object.entries(all).filter(isKept)) as Part;
  return {
    ...rest,
    channels: kept(channels),
    operations: Object.fromEntries(Object.entries(operations).filter(([id]) => id.endsWith(`.${name}`))),
    components: { ...components, messages: kept(components["messages"]) },
  };
}

describe("the AsyncAPI document", () => {
  test("its parser finds neither errors nor warnings in it", async () => {
    expect(await verdictOf(asyncapi)).toEqual([]);
  });

  test("a broken copy is refused", async () => {
    const part = only("command:TriggerAgent");
    expect(await verdictOf(part)).toEqual([]);
    const broken = (break_: (copy: Record<string, Part>) => void): Promise<string[]> => {
      const copy = plain(part);
      break_(copy);
      return verdictOf(copy);
    };
    const message = (copy: Record<string, Part>): Json =>
      field(copy, "components", "messages", "command.TriggerAgent") as Json;
    expect(await broken((copy) => delete copy["info"]?.["version"])).not.toEqual([]);
    expect(await broken((copy) => delete copy["channels"]?.["inbox"])).not.toEqual([]);
    expect(await broken((copy) => (message(copy)["payload"] = { $ref: "./schemas/gone.json" }))).not.toEqual([]);
    expect(await broken((copy) => (message(copy)["headers"] = { type: "rainbow" }))).not.toEqual([]);
    expect(
      await broken((copy) => {
        const channel = field(copy, "channels", "command.TriggerAgent") as Json;
        delete (channel["parameters"] as Json)["scope"];
      }),
    ).not.toEqual([]);
  });

  test("nothing in it leads outside its folder", () => {
    const refs = [...text.matchAll(/"\$ref": "([^"]+)"/g)].map(([, ref = ""]) => ref);
    const files = new Set(keys.map((key) => `./schemas/${fileOf(key)}`));
    const outside = refs.filter((ref) => !ref.startsWith("#/") && !files.has(ref));
    expect(refs.length).toBeGreaterThan(keys.length);
    expect(outside).toEqual([]);
  });

  test("every message has a channel whose address is the subject of its example", () => {
    for (const key of keys) {
      const name = fileOf(key).replace(".schema.json", "");
      const address = textAt(asyncapi, "channels", name, "address");
      const pattern = new RegExp(`^${address.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^.]+")}$`);
      const { subject } = exampleOf(key).encoded;
      expect(subject, key).toMatch(pattern);
      expect(subjects.parse(subject).address?.key, key).toBe(key);
    }
  });

  test("every sender and receiver has an operation, and a command that is answered has a reply", () => {
    const operations = asyncapi["operations"] ?? {};
    for (const key of keys) {
      const name = fileOf(key).replace(".schema.json", "");
      const { by, to, reply } = entryOf(key);
      for (const sender of by) expect(operations[`${sender}.send.${name}`]?.["action"], key).toBe("send");
      for (const receiver of to) {
        const operation = operations[`${receiver}.receive.${name}`] ?? operations[`${receiver}.receive.events`];
        expect(operation?.["action"], `${receiver} ${key}`).toBe("receive");
      }
      if (reply !== undefined) expect(operations[`${by[0]}.send.${name}`]?.["reply"], key).toBeDefined();
    }
  });
});
