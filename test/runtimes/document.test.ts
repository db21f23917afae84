// Goal: what docs/runtimes.md tells a stranger to send and to expect is what the protocol takes and says.
//
// Method: every message of the document is taken out of it, in its very letters, and given to the parser; its speaker
// is held against the catalogue, its subjects against the codec, its codes against the table.

import { describe, expect, test } from "vitest";
import { subscriptionsOf } from "../../src/actors/subscriptions.ts";
import { agentRuntimeComponent } from "../../src/actors/agent-runtime.ts";
import { entryOf, keys, kindOf, nameOf } from "../../src/protocol/catalogue.ts";
import { components } from "../../src/protocol/entry.ts";
import { fromUnknown, isErrorCode } from "../../src/protocol/errors.ts";
import { type Parsed, parse } from "../../src/protocol/parse.ts";
import { matches, subjectCodec } from "../../src/protocol/subjects.ts";
import { treeOf } from "../kit/tree.ts";

const document = treeOf("docs/*.md").get("docs/runtimes.md") ?? "";
const subjects = subjectCodec({ prefix: "compozy", layout: "flow" });
const runtimeId = "0199a5c0-7e10-7b3a-9c41-5d2f8a60e001";

type Message = { isSaid: boolean; subject: string; headers: Record<string, string>; body: string; refused?: string };

const blocks = (language: string): { tag: string; text: string }[] =>
  [...document.matchAll(/^```(\w*)([^\n]*)\n([^]*?)\n```$/gm)].flatMap(([, name, tag = "", text = ""]) =>
    name === language ? [{ tag: tag.trim(), text }] : [],
  );

const messages: Message[] = blocks("nats").map(({ tag, text }) => {
  const [head = "", body = ""] = text.split("\n\n");
  const [first = "", ...lines] = head.split("\n");
  const [, arrow, subject = ""] = /^([→←]) (\S+)(?: reply \S+)?$/.exec(first) ?? [];
  expect(arrow, `the first line of a message: ${first}`).toBeDefined();
  const headers = Object.fromEntries(lines.map((line) => line.split(": ") as [string, string]));
  const refused = /^refused (\w+)$/.exec(tag)?.[1];
  return { isSaid: arrow === "→", subject, headers, body, ...(refused !== undefined && { refused }) };
});

const parsed = ({ subject, headers, body }: Message): Parsed =>
  parse(subject, headers, new TextEncoder().encode(body), { subjects });
const nameIn = ({ body }: Message): string => /"message_type": "(\w+)"/.exec(body)?.[1] ?? "";
const fine = messages.filter(({ refused }) => refused === undefined);

describe("the messages of docs/runtimes.md", () => {
  test("are there, and all that a runtime says or hears is among them", () => {
    const wanted = keys.filter((key) => {
      const { by, to } = entryOf(key);
      const isOfRuntimes = [by, to].some((list) => list.some((code) => code === "AR" || code === "XE"));
      // What a caller of tools says is of executors too; what WO says of lost callers is not theirs.
      return isOfRuntimes && kindOf(key) !== "log";
    });
    const told = new Set(fine.map(nameIn));
    const names = [...new Set([...wanted.map(nameOf), "ToolExecutionSuccess", "ToolExecutionCanceled", "CommandAck"])];
    expect(names.filter((name) => !told.has(name))).toEqual([]);
  });

  test.each(fine.map((message) => [nameIn(message), message.subject, message] as const))(
    "%s on %s is one of the protocol, without old words and with nothing unknown",
    (name, _subject, message) => {
      const { key, warnings, dropped } = parsed(message);
      expect({ name: nameOf(key), warnings, dropped }).toEqual({ name, warnings: [], dropped: 0 });
    },
  );

  test.each(fine.map((message) => [nameIn(message), message.subject, message] as const))(
    "%s on %s is said by one who may, and heard where the document says",
    (_name, subject, message) => {
      const { envelope } = parsed(message);
      const speaker = (envelope.metadata as { source_component: string }).source_component;
      const ours: readonly string[] = [components.AR, components.XE];
      expect(ours.includes(speaker)).toBe(message.isSaid);
      if (!message.isSaid)
        expect(
          listened.some((pattern) => matches(pattern, subject)),
          subject,
        ).toBe(true);
    },
  );

  test("what it says is refused is refused so", () => {
    const refused = messages.filter((message) => message.refused !== undefined);
    expect(refused.length).toBeGreaterThan(0);
    for (const message of refused) {
      const code = ((): string => {
        try {
          return parsed(message).key;
        } catch (error) {
          return fromUnknown(error).code;
        }
      })();
      expect(code).toBe(message.refused);
    }
  });

  test("the bytes on the connection have the sizes that their first line says", () => {
    const [wire] = blocks("wire");
    const [line = "", ...rest] = (wire?.text ?? "").split("\n");
    const [, subject = "", head = "", whole = ""] = /^HPUB (\S+) (\d+) (\d+)$/.exec(line) ?? [];
    const body = rest.at(-1) ?? "";
    const headers = `${rest.slice(0, -1).join("\r\n")}\r\n`;
    expect(headers).toMatch(/^NATS\/1\.0\r\n[^]*\r\n\r\n$/);
    const sizes = [Buffer.byteLength(headers), Buffer.byteLength(headers + body)];
    expect([Number(head), Number(whole)]).toEqual(sizes);
    const given = Object.fromEntries(rest.slice(1, -2).map((one) => one.split(": ") as [string, string]));
    expect(parsed({ isSaid: true, subject, headers: given, body }).key).toBe("progress:AgentRuntimeHeartbeat");
  });
});

const listened = [...document.matchAll(/^\| `([^`]+)` \| (?:none|`[\w-]+`) \|/gm)].map(([, subject = ""]) =>
  subject.replace("<rt>", runtimeId).replace("<tool>", "orders"),
);

describe("what docs/runtimes.md says beside them", () => {
  test("what a runtime listens to is what one of ours listens to", () => {
    const ours = subscriptionsOf([agentRuntimeComponent], subjects, runtimeId).map(({ pattern }) => pattern);
    const tool = { tool: "orders" } as never;
    const all = [
      ...ours,
      subjects.patternOf({ key: "command:ToolExecute", params: tool }),
      subjects.patternOf({ key: "command:ToolCancel" }),
    ];
    expect(listened.length).toBe(5);
    expect(listened.filter((pattern) => !all.includes(pattern))).toEqual([]);
  });

  test("every code in capitals is one of the protocol's", () => {
    const own = ["EMPTY_RESULT", "UNKNOWN_BEHAVIOUR", "CARD_DECLINED"];
    const statuses = ["AGENT_ERROR", "TOOL_ERROR", "SUCCESS", "FAILURE", "ERROR"];
    const prose = document.replace(/^```[^]*?^```$/gm, "");
    const named = [...prose.matchAll(/\b[A-Z]{2,}(?:_[A-Z]+)+\b/g)].map(([code]) => code);
    const others = /^(?:NATS_|TROUPE_)/;
    expect(
      named.filter((code) => !isErrorCode(code) && ![...own, ...statuses].includes(code) && !others.test(code)),
    ).toEqual([]);
  });
});
