// Goal: every operation of the contract does what it says, and answers in the shape it says. Method: a real troupe in
// memory behind a real gateway, asked through the typed client without a port; each answer is held against its schema.

import { afterEach, describe, expect, test } from "vitest";
import { type Operation, type Route, routes } from "../../src/gateway/contract.ts";
import { placeOf, paths } from "../../src/gateway/contract-paths.ts";
import { type Bed, everAnswered, openBed, sign, stopAll, until } from "./bed.ts";

afterEach(stopAll);

const name = { name: "ada" };

async function begun(bed: Bed, id: string, input: unknown = {}): Promise<string> {
  const { body } = await bed.ask("executeWorkflowAsync", { id, input });
  return String(body["exec_id"]);
}

const statusOf = async (bed: Bed, exec_id: string): Promise<unknown> =>
  (await bed.ask("getStatus", { exec_id })).body["status"];

/** The one open task of a run. */
const openTask = (bed: Bed, run: string): Promise<string> =>
  until(async () => (await bed.t.list({ run, entity: "task", status: ["WAITING"] })).items[0]?.execId);

describe("running", () => {
  test("a workflow is begun and waited for", async () => {
    const bed = await openBed();
    const { status, body, headers } = await bed.ask("executeWorkflow", {
      id: "hello",
      input: name,
      labels: { a: "b" },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: "SUCCESS", result: { output: { text: "hello ada" } }, labels: { a: "b" } });
    expect(headers.get("location")).toBe(`/api/workflows/executions/${String(body["exec_id"])}`);
  });

  test("what is still running after `wait_ms` is answered 202 with where to look", async () => {
    const bed = await openBed();
    const { status, body, headers } = await bed.ask("executeWorkflow", { id: "waits", wait_ms: 1 });
    expect(status).toBe(202);
    const links = body["links"] as Record<string, string>;
    expect(headers.get("location")).toBe(links["self"]);
    expect((await bed.raw({ url: links["status"] ?? "" })).json["status"]).toBe("RUNNING");
  });

  test("an end that is no success is a problem with its code and the execution", async () => {
    const bed = await openBed();
    const answer = await bed.raw({ method: "POST", url: "/api/workflows/fails/execute", payload: {} });
    expect(answer.status).toBe(500);
    expect(answer.headers["content-type"]).toContain("application/problem+json");
    expect(answer.json).toMatchObject({ code: "TASK_FAILED", execution: { status: "FAILED", entity: "workflow" } });
  });

  test("agents, tools and tasks are run by themselves, and asked for under the kind they were run as", async () => {
    const bed = await openBed();
    const agent = await bed.ask("executeAgent", { id: "clerk", input: {} });
    expect(agent.body).toMatchObject({ entity: "agent", status: "SUCCESS", result: { output: { text: "done" } } });
    const tool = await bed.ask("executeTool", { id: "greet", input: name });
    expect(tool.body).toMatchObject({ entity: "tool", result: { output: { text: "hello ada" } } });
    const task = await bed.ask("triggerTask", { id: "hello.greet", input: { name: "bob" } });
    expect(task.body).toMatchObject({ entity: "task", status: "SUCCESS" });
    for (const [operation, id] of [
      ["executeAgentAsync", "clerk"],
      ["executeToolAsync", "greet"],
      ["triggerTaskAsync", "greet"],
    ] as const) {
      const { status, body, headers } = await bed.ask(operation, { id, input: name });
      expect(status).toBe(202);
      expect((await bed.raw({ url: headers.get("location") ?? "" })).status).toBe(200);
      expect(body["duplicate"]).toBe(false);
    }
  });

  test("the same key begins once, and is refused for other content", async () => {
    const bed = await openBed();
    const key = { idempotencyKey: "k1" };
    const first = await bed.ask("executeWorkflowAsync", { id: "hello", input: name }, key);
    const again = await bed.ask("executeWorkflowAsync", { id: "hello", input: name }, key);
    expect(again.body).toMatchObject({ exec_id: first.body["exec_id"], duplicate: true });
    await expect(bed.ask("executeWorkflowAsync", { id: "hello", input: { name: "x" } }, key)).rejects.toMatchObject({
      code: "IDEMPOTENCY_CONFLICT",
    });
  });

  test("the correlation id of the request is that of the execution, of every answer and of problems", async () => {
    const bed = await openBed();
    const correlationId = "01990000-0000-7000-8000-0000000000aa";
    const { body } = await bed.ask("executeWorkflow", { id: "hello", input: name }, { correlationId });
    expect(body["correlation_id"]).toBe(correlationId);
    const headers = { "x-correlation-id": correlationId };
    const wrong = await bed.raw({ url: "/api/workflows/nothing/definition", headers });
    expect(wrong.headers["x-correlation-id"]).toBe(correlationId);
    expect(wrong.json["correlation_id"]).toBe(correlationId);
    const none = await bed.raw({ url: "/api/version" });
    expect(none.headers["x-correlation-id"]).toMatch(/^[0-9a-f-]{36}$/);
    const bad = await bed.raw({ url: "/api/version", headers: { "x-correlation-id": "mine" } });
    expect(bad.json).toMatchObject({ code: "VALIDATION_FAILED", details: { errors: [{ field: "x-correlation-id" }] } });
  });
});

describe("steering", () => {
  test("a signal and an approval lead a workflow to its end, each said once however often it is sent", async () => {
    const bed = await openBed();
    const exec_id = await begun(bed, "waits");
    await openTask(bed, exec_id);
    const key = { idempotencyKey: "signal-1" };
    const go = { exec_id, name: "go", payload: { n: 1 } };
    const both = await Promise.all([bed.ask("signalExecution", go, key), bed.ask("signalExecution", go, key)]);
    expect(both.map(({ status }) => status)).toEqual([202, 202]);
    await bed.ask("signalExecution", go, key);
    await expect(bed.ask("signalExecution", { ...go, payload: 2 }, key)).rejects.toMatchObject({
      code: "IDEMPOTENCY_CONFLICT",
    });
    const history = await bed.client.getHistory({ exec_id });
    expect(history.items.filter(({ type }) => type === "command:WorkflowSignal")).toHaveLength(1);
    const why = await bed.ask("getWhy", { exec_id });
    expect(why.body["why"]).toContain("approval");
    const ask = await openTask(bed, exec_id);
    await bed.ask("resumeTask", { exec_id: ask, resume_data: { approved: true } });
    await until(async () => ((await statusOf(bed, exec_id)) === "SUCCESS" ? true : undefined));
  });

  test("pause, resume and cancel say what became of them", async () => {
    const bed = await openBed();
    const exec_id = await begun(bed, "slow");
    await until(async () => (await bed.t.list({ run: exec_id, entity: "agent" })).items[0]);
    await bed.ask("pauseExecution", { exec_id, reason: "lunch" });
    expect(await statusOf(bed, exec_id)).toBe("PAUSED");
    await bed.ask("resumeExecution", { exec_id });
    const { body } = await bed.ask("cancelExecution", { exec_id, reason: "enough", wait_ms: 30_000 });
    expect(body).toMatchObject({ changed: true, report: { is_done: true } });
    const { body: report } = await bed.ask("getCancelReport", { exec_id });
    const kinds = (children: unknown) =>
      (children as { entity: string; outcome: string }[])
        .map(({ entity, outcome }) => `${entity} ${outcome}`)
        .toSorted();
    expect(kinds(report["children"])).toEqual(kinds((body["report"] as { children: unknown }).children));
    expect(kinds(report["children"])).toEqual(["agent confirmed", "task confirmed"]);
    await expect(bed.ask("pauseExecution", { exec_id })).rejects.toMatchObject({ code: "INVALID_STATE" });
  });

  test("tasks and agents are canceled by themselves", async () => {
    const bed = await openBed();
    const first = await begun(bed, "slow");
    const agent = await until(async () => (await bed.t.list({ run: first, entity: "agent" })).items[0]);
    expect((await bed.ask("cancelAgent", { exec_id: agent.execId })).status).toBe(202);
    const second = await begun(bed, "waits");
    const task = await openTask(bed, second);
    expect((await bed.ask("cancelTask", { exec_id: task })).body["changed"]).toBe(true);
    const wrong = bed.ask("cancelTask", { exec_id: second });
    await expect(wrong).rejects.toMatchObject({ code: "EXECUTION_NOT_FOUND" });
  });

  test("what has ended is retried as a whole or from a task, forked, and each of that once for a key", async () => {
    const bed = await openBed();
    const { body: ended } = await bed.ask("executeWorkflow", { id: "hello", input: name });
    const exec_id = String(ended["exec_id"]);
    const key = { idempotencyKey: "again" };
    const retried = await bed.ask("retryExecution", { exec_id }, key);
    expect(retried.body["retry_of"]).toBe(exec_id);
    expect((await bed.ask("retryExecution", { exec_id }, key)).body["exec_id"]).toBe(retried.body["exec_id"]);
    const from = await bed.ask("retryExecution", { exec_id, from: "greet", input: { name: "eve" } });
    await until(async () => ((await statusOf(bed, String(from.body["exec_id"]))) === "SUCCESS" ? true : undefined));
    const forked = await bed.ask("forkExecution", { exec_id, from: "greet", labels: { try: "2" } });
    const again = await bed.ask("getExecution", { exec_id: String(forked.body["exec_id"]) });
    expect(again.body).toMatchObject({ labels: { try: "2" }, lineage: { kind: "fork", from_exec_id: exec_id } });
    await expect(bed.ask("retryExecution", { exec_id, input: 1 })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });

  test("many are canceled and retried at once, and counted", async () => {
    const bed = await openBed();
    const ids = [await begun(bed, "waits"), await begun(bed, "waits")];
    for (const id of ids) await openTask(bed, id);
    const { body } = await bed.ask("cancelMany", { where: { id: "waits" }, reason: "all of it" });
    expect(body).toMatchObject({ matched: 2, failed: [] });
    const retried = await bed.ask("retryMany", { where: { id: "waits", status: ["CANCELED"] } });
    expect(retried.body["matched"]).toBe(2);
    const { body: counted } = await bed.ask("countExecutions", { entities: "workflows", by: "id" });
    expect(counted).toEqual({ counts: { waits: 4 } });
  });
});

describe("asking", () => {
  test("executions are listed by what they are found by, page by page", async () => {
    const bed = await openBed();
    for (const team of ["red", "blue", "red"]) {
      await bed.ask("executeWorkflow", { id: "hello", input: name, labels: { team } });
    }
    const red = await bed.ask("listExecutions", { entities: "workflows", label: ["team:red"], status: ["SUCCESS"] });
    expect(red.body["items"]).toHaveLength(2);
    const seen: unknown[] = [];
    for (let cursor: string | null | undefined; cursor !== null;) {
      const page = await bed.client.listExecutionsOf({
        entities: "workflows",
        id: "hello",
        limit: 2,
        ...(cursor !== undefined && { cursor }),
      });
      seen.push(...page.items.map(({ exec_id }) => exec_id));
      cursor = page.next_cursor;
    }
    expect(new Set(seen).size).toBe(3);
    const tasks = await bed.ask("listExecutionsOf", { entities: "tasks", id: "hello.greet" });
    expect(tasks.body["items"]).toHaveLength(3);
    const none = await bed.ask("listExecutionsOf", { entities: "tasks", id: "waits.greet" });
    expect(none.body["items"]).toEqual([]);
  });

  test("an execution is shown from every side", async () => {
    const bed = await openBed();
    const { body } = await bed.ask("executeWorkflow", { id: "hello", input: name });
    const exec_id = String(body["exec_id"]);
    const tree = await bed.ask("getTree", { exec_id });
    expect(tree.body["items"]).toHaveLength(3);
    const journal = await bed.client.getJournal({ exec_id, limit: 3 });
    expect(journal.items).toHaveLength(3);
    const rest = await bed.client.getJournal({ exec_id, from_line: journal.next_line ?? 0 });
    expect(rest.items[0]?.line).toBe(journal.next_line);
    expect(await bed.client.getJournal({ exec_id, cursor: journal.next_cursor ?? "" })).toEqual(rest);
    await bed.ask("getJournal", { exec_id });
    await bed.ask("getHistory", { exec_id });
    const steps = await bed.ask("getSteps", { exec_id });
    expect(steps.body).toMatchObject({ is_whole: true, has_more: false });
    await bed.ask("getExecutionChart", { exec_id });
    const other = bed.ask("getExecution", { entities: "agents", exec_id });
    await expect(other).rejects.toMatchObject({ code: "EXECUTION_NOT_FOUND" });
  });

  test("what was exported elsewhere is imported, shown, and forgotten", async () => {
    const [here, there] = [await openBed(), await openBed()];
    const { body } = await here.ask("executeWorkflow", { id: "hello", input: name });
    const exec_id = String(body["exec_id"]);
    const { body: file } = await here.ask("exportExecution", { exec_id });
    expect((await there.ask("importExecution", { body: file })).status).toBe(201);
    expect((await there.ask("importExecution", { body: file })).status).toBe(200);
    expect((await there.ask("getExecution", { exec_id })).body["imported"]).toBe(true);
    await there.ask("deleteImported", { exec_id });
    await expect(there.ask("getExecution", { exec_id })).rejects.toMatchObject({ code: "EXECUTION_NOT_FOUND" });
  });

  test("definitions, charts, runtimes and schedules are listed", async () => {
    const bed = await openBed();
    for (const entities of ["workflows", "tasks", "agents", "tools"] as const) {
      const { body } = await bed.ask("listDefinitions", { entities });
      for (const { id } of body["items"] as { id: string }[]) await bed.ask("getDefinition", { entities, id });
    }
    const { body: hello } = await bed.ask("getDefinition", { entities: "workflows", id: "hello" });
    expect(hello).toMatchObject({ origin: "code", description: "Greets somebody.", input_schema: { type: "object" } });
    expect((await bed.ask("getChart", { id: "hello" })).body["mermaid"]).toContain("greet");
    expect((await bed.ask("listCharts")).body["items"]).not.toHaveLength(0);
    expect((await bed.ask("listRuntimes")).body["items"]).toHaveLength(1);
    const at = { workflow: "hello", n: 0 };
    expect((await bed.ask("pauseSchedule", at)).body["paused"]).toBe(true);
    expect((await bed.ask("resumeSchedule", at)).body["paused"]).toBe(false);
    const key = { idempotencyKey: "by hand" };
    const { body: first } = await bed.ask("triggerSchedule", at, key);
    expect((await bed.ask("triggerSchedule", at, key)).body["exec_id"]).toBe(first["exec_id"]);
    expect((await bed.ask("triggerSchedule", at)).body["exec_id"]).not.toBe(first["exec_id"]);
    expect((await bed.ask("listSchedules")).body["items"]).toHaveLength(1);
    await expect(bed.ask("pauseSchedule", { workflow: "hello", n: 7 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a list that is held as a whole is given in pages, too, and whole where nobody asked for pages", async () => {
    const bed = await openBed();
    const ids = (body: Record<string, unknown>): string[] => (body["items"] as { id: string }[]).map(({ id }) => id);
    const { body: whole } = await bed.ask("listDefinitions", { entities: "workflows" });
    expect(whole).toMatchObject({ next_cursor: null });
    const found: string[] = [];
    let cursor: string | undefined;
    do {
      const page = { entities: "workflows" as const, limit: 3, ...(cursor !== undefined && { cursor }) };
      const { body } = await bed.ask("listDefinitions", page);
      expect(ids(body).length).toBeLessThanOrEqual(3);
      found.push(...ids(body));
      cursor = (body["next_cursor"] as string | null) ?? undefined;
    } while (cursor !== undefined);
    expect(found).toEqual(ids(whole));
    for (const operation of ["listCharts", "listRuntimes", "listSchedules", "messageTypes", "getConfig"] as const) {
      expect((await bed.ask(operation, { limit: 1 })).body["items"], operation).toHaveLength(1);
    }
    await expect(bed.ask("listCharts", { cursor: "next" })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });

  test("the process says how it is", async () => {
    const bed = await openBed();
    for (const operation of ["root", "health", "ready", "version", "messageTypes", "openapi", "getStats"] as const) {
      expect((await bed.ask(operation)).status, operation).toBe(200);
    }
    expect((await bed.raw({ url: "/api" })).status).toBe(200);
    expect(await bed.raw({ url: "/api/health", method: "HEAD" })).toMatchObject({ status: 200, body: "" });
    expect((await bed.raw({ url: "/api/metrics" })).body).toBe("troupe_up 1\n");
    await bed.ask("putLogLevel", { level: "debug" });
    expect((await bed.ask("getLogLevel")).body).toEqual({ level: "debug" });
    expect((await bed.ask("putInspector", { enabled: true })).body["enabled"]).toBe(true);
    expect((await bed.ask("getInspector")).body["port"]).toBe(8080);
    for (const operation of ["getConfig", "getLogs", "listThreads"] as const) await bed.ask(operation);
    await bed.ask("getLog", { message_id: "line-1" });
    expect((await bed.ask("getWorkflowLogs", { id: "hello" })).body["items"]).toHaveLength(1);
    await expect(bed.ask("getThread", { thread_id: "none" })).rejects.toMatchObject({ code: "THREAD_NOT_FOUND" });
    await expect(bed.ask("reload")).rejects.toMatchObject({ code: "INVALID_STATE" });
  });

  test("a process that is not ready says so with 503", async () => {
    const { openDoor } = await import("./bed.ts");
    const daemon = { ...openDoor(), ready: () => ({ ready: false, reasons: ["it is draining"] }) };
    const bed = await openBed({ gateway: { daemon } });
    const answer = await bed.raw({ url: "/api/ready" });
    expect(answer.status).toBe(503);
    expect(answer.json).toEqual({ status: "not_ready", reasons: ["it is draining"] });
  });
});

describe("defining", () => {
  const two = { tasks: [{ id: "greet", type: "tool", tool: "greet" }] };
  const at = { entities: "workflows", id: "two" } as const;

  test("a workflow is put, replaced, run and taken away", async () => {
    const bed = await openBed();
    expect((await bed.ask("validateDefinition", { entities: "workflows", body: { id: "two", ...two } })).body).toEqual({
      is_valid: true,
      problems: [],
    });
    const made = await bed.ask("putDefinition", { ...at, body: two });
    expect(made).toMatchObject({ status: 201, body: { origin: "stored", tasks: 1 } });
    expect(made.headers.get("location")).toBe("/api/workflows/two/definition");
    expect((await bed.ask("putDefinition", { ...at, body: { ...two, description: "Second." } })).status).toBe(200);
    expect((await bed.ask("executeWorkflow", { id: "two", input: name })).body["status"]).toBe("SUCCESS");
    expect((await bed.ask("deleteDefinition", at)).status).toBe(204);
    await expect(bed.ask("getDefinition", at)).rejects.toMatchObject({ code: "WORKFLOW_NOT_FOUND" });
  });

  test("what the program defines, and tasks, are refused with 409", async () => {
    const bed = await openBed();
    const url = "/api/workflows/hello/definition";
    for (const method of ["PUT", "DELETE"] as const) {
      const answer = await bed.raw({ method, url, ...(method === "PUT" && { payload: two }) });
      expect(answer, method).toMatchObject({ status: 409, json: { code: "INVALID_STATE" } });
    }
    const task = await bed.raw({ method: "PUT", url: "/api/tasks/hello.greet/definition", payload: {} });
    expect(task.status).toBe(409);
  });

  test("what is wrong with a definition is said with its place", async () => {
    const bed = await openBed();
    const body = { id: "two", tasks: [{ id: "a", type: "toool" }] };
    const { body: told } = await bed.ask("validateDefinition", { entities: "workflows", body });
    expect(told).toMatchObject({ is_valid: false, problems: [{ severity: "error" }] });
    const answer = await bed.raw({ method: "PUT", url: "/api/workflows/two/definition", payload: body });
    expect(answer).toMatchObject({ status: 422, json: { code: "DEFINITION_INVALID", details: { errors: [{}] } } });
  });
});

describe("webhooks", () => {
  test("a delivery begins its workflow, and what is signed is the bytes that came", async () => {
    const bed = await openBed();
    const body = '{ "name":  "ada" }';
    const post = (headers: Record<string, string>, path = "signed") =>
      bed.raw({ method: "POST", url: `/api/hooks/${path}`, payload: body, headers });
    const json = { "content-type": "application/json" };
    const taken = await post({ ...json, "x-signature": sign(body) });
    expect(taken.status).toBe(202);
    expect(taken.json).toMatchObject({ duplicate: false });
    expect((await post({ ...json, "x-signature": sign(body) })).json).toEqual({
      exec_id: taken.json["exec_id"],
      duplicate: true,
    });
    expect((await post({ ...json, "x-signature": sign("other") })).json).toMatchObject({ code: "UNAUTHENTICATED" });
    expect((await post({ "content-type": "text/plain" }, "hello")).status).toBe(202);
    expect((await post(json, "nothing")).status).toBe(404);
  });
});

describe("the contract", () => {
  test("HT1: each operation is where the table of paths says, with the fields that are named there", () => {
    for (const [operation, route] of Object.entries(routes) as [Operation, Route][]) {
      const place = placeOf(paths[operation]);
      expect(place, operation).toMatchObject({ method: route.method, path: route.path });
      expect(Object.keys(route.params?.shape ?? {}).toSorted(), operation).toEqual(place.params.toSorted());
      const query = Object.keys(route.query?.shape ?? {});
      if (route.body && route.takes === undefined) expect(query, operation).toEqual(place.query);
    }
  });

  test("HT1: every operation was answered above, but those that are asked otherwise or need another's tests", () => {
    const elsewhere: readonly Operation[] = [
      ...(["streamExecution", "streamEvents", "metrics", "receiveHook"] as const),
      ...(["getThread", "deleteThread", "reload", "backup"] as const),
    ];
    const missing = Object.keys(routes).filter((one) => !everAnswered.has(one as Operation));
    expect(missing.filter((one) => !elsewhere.includes(one as Operation))).toEqual([]);
  });
});
