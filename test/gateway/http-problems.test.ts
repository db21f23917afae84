// Goal: what cannot be right is refused with a code, with every field at fault, and as a problem document. Method:
// requests that are wrong in one way each, as strangers send them, to a real gateway without a port.

import { afterEach, describe, expect, test } from "vitest";
import { problemOf } from "../../src/gateway/problem.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { makeDisk, openMemory } from "../../src/store/memory.ts";
import { openBed, stopAll } from "./bed.ts";

afterEach(stopAll);

describe("what is wrong", () => {
  test("a near miss is recognised in a type of message, and who asks the WebSocket in plain is told so", async () => {
    const bed = await openBed();
    const { json } = await bed.raw({ url: "/api/events/stream?type=TaskSchedule" });
    expect(json["detail"]).toContain("did you mean 'TaskScheduled'?");
    expect((await bed.raw({ url: "/api/ws" })).json["detail"]).toContain("WebSockets");
  });

  test("HT3: every field at fault is named at once, and a near miss is recognised", async () => {
    const bed = await openBed();
    const url = "/api/workflows/executions?limit=900&statu=RUNNING&created_from=yesterday";
    const answer = await bed.raw({ url });
    expect(answer.status).toBe(422);
    const { errors } = answer.json["details"] as { errors: { field: string; message: string }[] };
    expect(errors.map(({ field }) => field).toSorted()).toEqual(["created_from", "limit", "statu"]);
    expect(errors.find(({ field }) => field === "statu")?.message).toContain("'status'");
    const body = await bed.raw({ method: "POST", url: "/api/workflows/hello/execute-async", payload: { inputs: 1 } });
    expect(body.json).toMatchObject({ code: "VALIDATION_FAILED", details: { errors: [{ field: "inputs" }] } });
  });

  const wrong: readonly (readonly [what: string, request: object, status: number, code: string])[] = [
    ["a path that is none", { url: "/api/nothing" }, 404, "NOT_FOUND"],
    ["a method that is not possible", { method: "DELETE", url: "/api/version" }, 404, "NOT_FOUND"],
    ["a path that cannot be read", { url: "/api/workflows/%zz/definition" }, 400, "INVALID_ENVELOPE"],
    ["an execution id that is none", { url: "/api/workflows/executions/7" }, 400, "INVALID_ID"],
    ["a reserved word as an id", { url: "/api/workflows/__proto__/chart" }, 400, "INVALID_ID"],
    [
      "no JSON",
      {
        method: "POST",
        url: "/api/workflows/hello/execute",
        payload: "{",
        headers: { "content-type": "application/json" },
      },
      400,
      "INVALID_ENVELOPE",
    ],
    [
      "a body of another type",
      { method: "POST", url: "/api/workflows/hello/execute", payload: "x", headers: { "content-type": "text/csv" } },
      415,
      "INVALID_ENVELOPE",
    ],
    [
      "an input that breaks the schema",
      { method: "POST", url: "/api/workflows/hello/execute", payload: { input: {} } },
      422,
      "VALIDATION_FAILED",
    ],
    [
      "an agent that nobody has",
      { method: "POST", url: "/api/agents/clark/execute-async", payload: {} },
      404,
      "AGENT_NOT_FOUND",
    ],
    ["a type of message that is none", { url: "/api/events/stream?type=TaskSchedule" }, 422, "VALIDATION_FAILED"],
    ["a cursor that is none", { url: "/api/workflows/executions?cursor=x" }, 422, "VALIDATION_FAILED"],
    ["a query where none is", { url: "/api/version?x=1" }, 422, "VALIDATION_FAILED"],
  ];
  test.each(wrong)("HT2: %s is a problem with a code", async (_what, request, status, code) => {
    const bed = await openBed();
    const answer = await bed.raw(request);
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(answer.json).toMatchObject({ status, code, correlation_id: answer.headers["x-correlation-id"] });
    expect(answer.status).toBe(status);
    expect(answer.json["detail"]).not.toBe("");
  });

  test("what comes from elsewhere is not sent for a token that would not help", () => {
    const refused = (details: Record<string, string>) =>
      problemOf(new TroupeError("FORBIDDEN", "it may not", details), "1").fix;
    for (const reason of ["host", "origin", "site"]) expect(refused({ reason })).toBeUndefined();
    expect(refused({ reason: "scope" })).toContain("token");
  });

  test("a body over the limit is refused before it is read", async () => {
    const bed = await openBed();
    const payload = { input: "x".repeat(2_000_000) };
    const answer = await bed.raw({ method: "POST", url: "/api/workflows/hello/execute", payload });
    expect(answer.json).toMatchObject({ status: 413, code: "PAYLOAD_TOO_LARGE" });
  });
});

test("while the disk is full nobody is kept waiting, and what had waited is not lost", async () => {
  const disk = makeDisk();
  const bed = await openBed({ store: openMemory({ disk }) });
  disk.breakAfter(0, "store_full");
  const request = { method: "POST", url: "/api/agents/clerk/execute-async", payload: { input: {} } } as const;
  const first = await bed.raw(request);
  expect(first).toMatchObject({ status: 503, json: { code: "STORE_UNAVAILABLE", details: { reason: "store_full" } } });
  expect(first.json["fix"]).toContain("come again");
  expect(await bed.raw(request)).toMatchObject({ status: 503, json: { code: "STORE_UNAVAILABLE" } });
  disk.mend();
  const { exec_id } = first.json["details"] as { exec_id: string };
  expect(await bed.t.result(exec_id), "what had waited is not lost").toMatchObject({ status: "SUCCESS" });
  expect(await bed.raw(request)).toMatchObject({ status: 202 });
});
