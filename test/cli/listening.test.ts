// Goal: a wiretap hears all that it can hear without being taken for somebody who serves, and knows where it would be.

import { describe, expect, it } from "vitest";
import { hides, unnoticed } from "../../src/cli/listening.ts";
import { entryOf, keys, kindOf } from "../../src/protocol/catalogue.ts";
import { layouts } from "../../src/protocol/layouts.ts";
import { matches, type SubjectCodec, subjectCodec } from "../../src/protocol/subjects.ts";

const id = "019900aa-0000-7000-8000-000000000001";

describe.each(layouts)("in the layout %s", (layout) => {
  const subjects = subjectCodec({ prefix: "p", layout });
  const subjectOf = (key: (typeof keys)[number]): string =>
    subjects.patternOf({ key } as Parameters<SubjectCodec["patternOf"]>[0]).replaceAll("*", id);

  it("it hears every message once, but for requests and the results that are missed", () => {
    const patterns = unnoticed(subjects);
    const counts = keys
      .filter((key) => key !== "result:CommandAck")
      .map((key) => [key, patterns.filter((pattern) => matches(pattern, subjectOf(key))).length]);
    const missed = keys.filter((key) => entryOf(key).delivery === "request");
    const results = ["result:AgentExecutionResult", "result:ToolExecutionResult"];
    const expected = keys
      .filter((key) => key !== "result:CommandAck")
      .map((key) => [key, missed.includes(key) || results.includes(key) ? 0 : 1]);
    expect(missed).toHaveLength(5);
    expect(counts).toEqual(expected);
  });

  it("nothing of it hides that nobody serves an order, and each order alone does", () => {
    expect(unnoticed(subjects).filter((pattern) => hides(pattern, subjects))).toEqual([]);
    for (const key of keys) expect([key, hides(subjectOf(key), subjects)]).toEqual([key, isMissed(key)]);
    for (const pattern of ["p.>", ">", "*.>"]) expect(hides(pattern, subjects)).toBe(true);
    for (const pattern of ["q.>", "_INBOX.>", "p", "p.heartbeats.>"]) expect(hides(pattern, subjects)).toBe(false);
  });

  function isMissed(key: (typeof keys)[number]): boolean {
    return entryOf(key).delivery === "request" || (kindOf(key) === "result" && key !== "result:CommandAck");
  }
});
