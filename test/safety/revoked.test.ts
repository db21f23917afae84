// Goal: who is revoked is out, also where something was left open: sockets, and streams of events.
// Method: a gateway on a port with a token file; a stream and a socket are opened, the token is revoked, and the next
// thing that happens ends both.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { openGateway } from "../../src/gateway/gateway.ts";
import { openGuard } from "../../src/gateway/guard.ts";
import { createToken, openTokens, revokeToken } from "../../src/gateway/tokens.ts";
import { troupe } from "../../src/runtime/troupe.ts";

test("a stream and a socket end with the token that opened them, and hear nothing of what comes then", async () => {
  const folder = mkdtempSync(join(tmpdir(), "troupe-revoked-"));
  const file = join(folder, "tokens.json");
  const { secret } = createToken(file, { name: "one", scope: "run", expiresAt: null, now: Date.now() });
  const tokens = openTokens({ file, now: Date.now, report: () => undefined });
  const t = await troupe({ tools: [{ id: "work", handler: () => ({ said: "LATER" }) }] });
  const guard = openGuard({ host: "127.0.0.1", now: Date.now, tokens });
  const gateway = await openGateway({ troupe: t, guard });
  const url = (await gateway.listen({ host: "127.0.0.1", port: 0 })).replace(/\/$/, "");

  const answer = await fetch(`${url}/api/events/stream?access_token=${secret}`);
  expect(answer.status).toBe(200);
  const socket = new WebSocket(`${url.replace("http", "ws")}/api/ws?access_token=${secret}`);
  await new Promise((open, failed) => socket.on("open", open).on("error", failed));
  revokeToken(file, "one");

  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  socket.send(JSON.stringify({ id: "1", type: "chat", content: "am I still here?" }));
  expect(await closed).toBe(4401);
  await t.execute({ tool: "work" }, {});
  expect(await answer.text()).not.toContain("LATER");

  await gateway.close(0);
  await t.stop();
  rmSync(folder, { recursive: true });
});
