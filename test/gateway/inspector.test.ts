// Goal: whoever connects to the inspector's port sees runs as actors, from the right pages only, and leaves nothing.
// Method: a real troupe, a real server, real sockets; what XState says of each definition and value is the judge.

import { once } from "node:events";
import { request } from "node:http";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { Guard } from "../../src/gateway/guard.ts";
import type { Caller } from "../../src/gateway/tokens.ts";
import { TroupeError } from "../../src/protocol/errors.ts";
import { virtualClock } from "../../src/testing/virtual-clock.ts";
import { type Bed, checkFrames, lastOf, listen, openBed, until } from "./inspector-bed.ts";

const opened: Bed[] = [];
const bedOf = async (...given: Parameters<typeof openBed>): ReturnType<typeof openBed> => {
  const bed = await openBed(...given);
  opened.push(bed);
  return bed;
};
afterEach(async () => {
  for (const bed of opened.splice(0)) await bed.close();
});

describe("a run, live", () => {
  test("is its charts, each under the one that it belongs to, and the drawing of its workflow", async () => {
    const { here, inspector } = await bedOf();
    const { execId, accepted, result } = here.start("wide");
    await accepted();
    const { frames, until: heard } = await listen(`${inspector.url}/feed?execution=${execId}`);
    await heard("the drawing", ({ sessionId }) => sessionId === `chart/${execId}`);
    await until("the tool has answered", () =>
      JSON.stringify(lastOf(frames, `chart/${execId}`)).includes('"look":{"status":"SUCCESS"'),
    );
    expect(lastOf(frames, `chart/${execId}`)?.value).toEqual({ both: { left: "left", right: "$SUCCESS" } });
    await here.signal(execId, "go");
    await result();
    await heard("the end", (frame) => frame.sessionId === `chart/${execId}` && frame.snapshot?.status === "done");
    await until("the end of the run", () => lastOf(frames, `workflow/${execId}`)?.status === "done");
    await heard("its agent", ({ name, type }) => type === "@xstate.actor" && name === "agentDispatch clerk");
    await heard("its handler", ({ name, type }) => type === "@xstate.actor" && name === "handlerRun clerk");
    checkFrames(frames);
    expect(lastOf(frames, `chart/${execId}`)?.value).toBe("$SUCCESS");
    expect(lastOf(frames, `workflow/${execId}`)?.value).toBe("succeeded");
    const kinds = new Set(frames.map(({ sessionId }) => sessionId.replace(/\/.*/, "")));
    expect([...kinds].toSorted()).toEqual(
      ["attempt", "call", "chart", "dispatch", "handler", "order", "task", "workflow"].toSorted(),
    );
    expect(new Set(frames.map(({ rootId }) => rootId))).toEqual(new Set([`workflow/${execId}`]));
    expect(frames.find(({ name }) => name === "agentExecution clerk")).toBeDefined();
  });

  test("of another execution is not shown to whoever looks at one", async () => {
    const { here, inspector } = await bedOf();
    const one = here.start("patient");
    const other = here.start("patient");
    await other.accepted();
    const { frames, until: heard } = await listen(`${inspector.url}/feed?execution=${one.execId}`);
    await heard("the run", ({ sessionId }) => sessionId === `chart/${one.execId}`);
    await here.signal(other.execId, "go");
    await other.result();
    await here.signal(one.execId, "go");
    await one.result();
    await until("its end", () => lastOf(frames, `workflow/${one.execId}`)?.status === "done");
    expect(JSON.stringify(frames)).not.toContain(other.execId);
  });

  test("with a child has the child's charts under the task that called it, whichever is asked for", async () => {
    const { here, inspector } = await bedOf();
    const { execId, result } = here.start("parent");
    await result();
    const { items } = await here.list({ entity: "workflow", id: "short" });
    const child = items[0]?.execId ?? "";
    for (const asked of [execId, child]) {
      const { frames } = await listen(`${inspector.url}/feed?execution=${asked}`);
      await until("both ends", () => [execId, child].every((id) => lastOf(frames, `chart/${id}`)?.status === "done"));
      checkFrames(frames);
      const born = frames.find((frame) => frame.type === "@xstate.actor" && frame.sessionId === `workflow/${child}`);
      expect(born).toMatchObject({ rootId: `workflow/${execId}`, parentId: expect.stringMatching(/^task\//) });
    }
  });

  test("that is an agent by itself is shown, too", async () => {
    const { here, inspector } = await bedOf();
    const { execId, result } = here.startOne({ agent: "clerk" }, { q: 1 });
    await result();
    const { frames } = await listen(`${inspector.url}/feed?execution=${execId}`);
    await until("its end", () => lastOf(frames, `task/${execId}`)?.status === "done");
    checkFrames(frames);
  });

  test("is told as it is to whoever comes late, and all that is at work to whoever asks for all", async () => {
    const { here, inspector } = await bedOf();
    const old = here.start("patient");
    await old.accepted();
    const first = await listen(`${inspector.url}/`);
    await first.until("what is at work", ({ sessionId }) => sessionId === `chart/${old.execId}`);
    const fresh = here.start("patient");
    await first.until("what begins", ({ sessionId }) => sessionId === `chart/${fresh.execId}`);
    const second = await listen(`${inspector.url}/feed`);
    await second.until("the old one", ({ sessionId }) => sessionId === `chart/${old.execId}`);
    await second.until("the new one", ({ sessionId }) => sessionId === `chart/${fresh.execId}`);
    checkFrames(first.frames);
    checkFrames(second.frames);
  });
});

describe("the port", () => {
  test("IN1: is on loopback alone, and says so", async () => {
    await expect(bedOf({ host: "0.0.0.0" })).rejects.toThrow(/listens on loopback alone, not on '0\.0\.0\.0'/);
  });

  test("cannot hold an inspector that has no address", async () => {
    for (const inspectorUrl of ["stately", "javascript:alert(1)", "https://"]) {
      await expect(bedOf({ inspectorUrl })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
    }
  });

  test("IN1: that is taken is an error with what to do", async () => {
    const { inspector } = await bedOf();
    await expect(bedOf({ port: inspector.port })).rejects.toMatchObject({
      code: "INVALID_STATE",
      message: expect.stringMatching(/EADDRINUSE.*choose another with --inspect=<port>/),
    });
  });

  test.each([
    ["a page of another origin", { origin: "https://evil.example" }],
    ["a sandboxed page", { origin: "null" }],
    ["a name that leads here", { host: "evil.example:8080" }],
  ])("IN1: lets no socket in for %s", async (_who, headers) => {
    const { inspector, logged } = await bedOf();
    for (const path of ["/", "/feed"]) {
      const socket = new WebSocket(`${inspector.url.replace("http", "ws")}${path}`, { headers });
      const [error] = (await once(socket, "error")) as [Error];
      expect(error.message).toContain("403");
    }
    expect(logged[0]).toContain("FORBIDDEN");
    expect(inspector.stats().viewers).toBe(0);
  });

  test("IN1: gives its page and its list to nobody who came by another name", async () => {
    const { inspector } = await bedOf();
    for (const path of ["/", "/executions", "/bridge.js"]) {
      expect(await statusOf(inspector.port, path, { host: "evil.example" })).toBe(403);
      expect(await statusOf(inspector.port, path, {})).toBe(200);
    }
    expect(await statusOf(inspector.port, "/executions", { origin: "https://evil.example" })).toBe(403);
    expect(await statusOf(inspector.port, "/else", {})).toBe(404);
  });

  test("IN1: asks for a token where the guard does, but for the page itself", async () => {
    const caller: Caller = { name: "one", scope: "read", isValid: () => true };
    const guard: Pick<Guard, "admit"> = {
      admit: ({ url = "" }, { scope }) => {
        if (scope === "open" || url.includes("access_token=mine")) return { caller };
        throw new TroupeError("UNAUTHENTICATED", "a token is needed");
      },
    };
    const { inspector } = await bedOf({ guard });
    expect(await statusOf(inspector.port, "/", {})).toBe(200);
    expect(await statusOf(inspector.port, "/executions", {})).toBe(401);
    const socket = new WebSocket(`${inspector.url.replace("http", "ws")}/`);
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toContain("401");
    await listen(`${inspector.url}/?access_token=mine`);
  });

  test("says why it closes on whoever asks for an execution that is not known", async () => {
    const { inspector } = await bedOf();
    const id = "01900000-0000-7000-8000-00000000beef";
    for (const path of [`/feed?execution=${id}`, `/feed?execution=${id}&speed=1`, "/feed?execution=x&speed=-1"]) {
      const socket = new WebSocket(`${inspector.url.replace("http", "ws")}${path}`);
      const [code, reason] = (await once(socket, "close")) as [number, Buffer];
      expect(code).toBe(4400);
      expect(reason.toString()).toMatch(/no execution|a speed is a number/);
    }
    expect(inspector.stats().viewers).toBe(0);
  });
});

describe("when nobody looks", () => {
  test("IN2: nothing of a run is followed, and what was is let go", async () => {
    const { here, inspector } = await bedOf();
    let watched = 0;
    const { spectator } = here.system;
    Object.assign(here.system, { spectator: (id: string) => ((watched += 1), spectator(id)) });
    await here.run("short");
    expect(watched).toBe(0);
    const { socket, until: heard } = await listen(`${inspector.url}/`);
    const { execId } = here.start("patient");
    await heard("the run", ({ sessionId }) => sessionId === `chart/${execId}`);
    expect(inspector.stats()).toMatchObject({ viewers: 1, followed: 1 });
    socket.close();
    await until("everything is let go", () => inspector.stats().followed === 0);
    expect(inspector.stats()).toMatchObject({ viewers: 0, actors: 0 });
    const before = watched;
    await here.run("short");
    expect(watched).toBe(before);
  });

  test("IN3: whoever does not answer, or may look no longer, is let go", async () => {
    const clock = virtualClock(Date.UTC(2026, 0, 1));
    const own = { name: "one", scope: "read", isValid: () => isValid } as const;
    let isValid = true;
    const { inspector } = await bedOf({ guard: { admit: () => ({ caller: own }) } }, { clock });
    const [silent, revoked] = [await listen(inspector.url), await listen(inspector.url)];
    // It gets the ping, and nothing answers.
    silent.socket.pong = () => undefined;
    const gone = once(silent.socket, "close") as Promise<[number]>;
    const pinged = Promise.all([silent, revoked].map(({ socket }) => once(socket, "ping")));
    clock.advance(20_000);
    await pinged;
    await new Promise((resolve) => setImmediate(resolve));
    isValid = false;
    const ended = once(revoked.socket, "close") as Promise<[number, Buffer]>;
    // Its answer is on the way.
    for (let wait = 0; wait < 50; wait++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(20_000);
    expect((await gone)[0]).toBe(1006);
    expect((await ended)[0]).toBe(4401);
    await until("both are let go", () => inspector.stats().viewers === 0);
  });

  test("IN4: because it was closed, connections end and nothing is left", async () => {
    const { here, inspector } = await bedOf();
    const { execId, accepted } = here.start("patient");
    await accepted();
    const viewer = await listen(`${inspector.url}/feed?execution=${execId}`);
    const replay = await listen(`${inspector.url}/feed?execution=${execId}&speed=0.001`);
    await viewer.until("the run", ({ sessionId }) => sessionId === `chart/${execId}`);
    const ends = Promise.all([viewer, replay].map(({ socket }) => once(socket, "close")));
    await inspector.close();
    await ends;
    expect(inspector.stats()).toMatchObject({ viewers: 0, followed: 0, actors: 0 });
    await expect(listen(`${inspector.url}/`)).rejects.toThrow(/ECONNREFUSED/);
  });
});

function statusOf(port: number, path: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on("error", reject);
    sent.end();
  });
}
