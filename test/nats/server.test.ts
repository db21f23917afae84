// Goal: whatever becomes of the server, all that was accepted ends once, and what is said meanwhile is true.
//
// Method: two processes over a server of their own. In the midst of the work it is killed, killed and wiped, stopped
// for longer than every timeout, filled up, set up without JetStream, robbed of its streams, or made to refuse what is
// said.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DiscardPolicy, jetstreamManager } from "@nats-io/jetstream";
import { expect, test, vi } from "vitest";
import { cannotBeReached, isTold, patience, trial } from "../kit/nats-house.ts";

const cannotLeave = expect.stringMatching(/^what is on disk cannot leave: /);

test("it is killed, and comes back with its store", () => trial(({ server }) => server.kill()));

test("it is killed, and comes back with nothing", () =>
  trial(({ server, directory }) => {
    server.kill();
    rmSync(join(directory, "streams"), { recursive: true, force: true });
  }));

test("it is killed three times", () =>
  trial(async ({ server, here }) => {
    for (let time = 1; time <= 3; time++) {
      server.kill();
      await vi.waitFor(() => expect(here.troupe.stats().bridge?.reconnects).toBe(time), patience);
    }
  }));

test("it is stopped for longer than every timeout", () =>
  trial(async (house) => {
    house.server.signal("SIGSTOP");
    await isTold(house, cannotBeReached);
    // Attempts are given up, and made again, while nobody answers.
    await vi.waitFor(async () => expect(await house.metric("retries_total")).toBeGreaterThan(0), patience);
    house.server.signal("SIGCONT");
  }));

test("its streams are deleted", () =>
  trial(async ({ outsider }) => {
    const manager = await jetstreamManager(outsider);
    for (const name of ["COMMANDS", "EVENTS", "LOGS", "REJECTED"]) await manager.streams.delete(`house_${name}`);
  }));

test("it has no JetStream for a while", () =>
  trial(async (house) => {
    const off = "jetstream { enabled: false, ";
    house.reconfigure((whole) => whole.replace("jetstream { ", off));
    await isTold(house, cannotLeave);
    house.reconfigure((whole) => whole.replace(off, "jetstream { "));
  }));

test("it refuses state events for a while", () =>
  trial(async (house) => {
    const deny = ', permissions: { publish: { deny: "house.events.>" } }';
    house.reconfigure((whole) => whole.replace(/nkey: \w+/, (found) => found + deny));
    await isTold(house, cannotLeave);
    house.reconfigure((whole) => whole.replace(deny, ""));
  }));

test("a stream takes nothing more for a while", () =>
  trial(async (house) => {
    const { streams } = await jetstreamManager(house.outsider);
    await streams.update("house_EVENTS", { max_msgs: 1, discard: DiscardPolicy.New });
    await isTold(house, cannotLeave);
    await streams.update("house_EVENTS", { max_msgs: -1, discard: DiscardPolicy.Old });
  }));

const mount = (...args: string[]): boolean => process.getuid?.() === 0 && spawnSync("/bin/mount", args).status === 0;

test("its disk is full for a while", async () => {
  const directory = mkdtempSync(join(tmpdir(), "troupe-full-"));
  try {
    // Only root may mount a small disk: whoever is not has the full stream above.
    if (!mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", directory)) return console.log("no small disk can be mounted");
    const ballast = join(directory, "ballast");
    const fill = (): void => {
      mkdirSync(directory, { recursive: true });
      spawnSync("/bin/dd", ["if=/dev/zero", `of=${ballast}`, "bs=4k"]);
    };
    await trial(
      async (house) => {
        fill();
        await isTold(house, cannotLeave);
        writeFileSync(ballast, "");
        // A server that ran out of space keeps no streams any more until it is begun anew.
        house.server.kill();
      },
      { directory },
    );
  } finally {
    spawnSync("/bin/umount", ["-l", directory]);
    rmSync(directory, { recursive: true, force: true });
  }
});
