// Goal: docs/websocket.md says what is so: every frame, code of a close and limit, and examples that are taken.
// Method: the document is read, and held against the tables of the gateway.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { deprecatedTypes, frameTypes, readFrame } from "../../src/gateway/frames.ts";
import { closings } from "../../src/gateway/socket.ts";
import { socketLimits } from "../../src/gateway/socket-limits.ts";
import { isErrorCode } from "../../src/protocol/errors.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/websocket.md"), "utf8");
const rows = text.split("\n").filter((line) => line.startsWith("|"));

test("every type of frame has its row", () => {
  const told = ["ack", "agent_started", "agent_thinking", "tool_executing", "tool_completed", "agent_completed"];
  for (const type of [...frameTypes, ...Object.keys(deprecatedTypes), ...told, "warning", "error", "pong"]) {
    expect(
      rows.some((row) => row.split("|")[1]?.includes(`\`${type}\``)),
      type,
    ).toBe(true);
  }
});

test("every code of a close has its row, and every limit its name", () => {
  for (const code of Object.values(closings)) expect(rows.some((row) => row.startsWith(`| ${code} |`))).toBe(true);
  for (const name of Object.keys(socketLimits)) expect(text).toContain(`\`${name}\``);
});

test("every error code that it names is one", () => {
  const codes = text.match(/`[A-Z]+(?:_[A-Z]+)+`/g) ?? [];
  const statuses = ["`AGENT_ERROR`", "`TOOL_ERROR`", "`TIMED_OUT`"];
  expect(codes.length).toBeGreaterThan(5);
  for (const code of codes) expect(statuses.includes(code) || isErrorCode(code.slice(1, -1)), code).toBe(true);
});

test("every example of what a client sends is taken", () => {
  const [, examples = ""] = /```json\n([^]*?)```/.exec(text) ?? [];
  const lines = examples.trim().split("\n");
  expect(lines).toHaveLength(frameTypes.length + 1);
  for (const line of lines) {
    const read = readFrame(Buffer.from(line), { sizeBytesMax: 10_000, sessionId: "s1", strict: false });
    expect("frame" in read, line).toBe(true);
  }
});
