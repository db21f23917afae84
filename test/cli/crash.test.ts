// Goal: whoever watches a run sees it go on over a daemon that was killed and came back.
// Method: real processes; the daemon is killed while the run waits, and started again at the same port.

import { expect, test } from "vitest";
import { deadUrl, openDaemonBed } from "./bed.ts";

test("a run that is watched goes on where it was, and nothing of it is told twice", async () => {
  const { port } = new URL(await deadUrl());
  const bed = await openDaemonBed({ port });
  try {
    const watched = bed.begin("run", "payout", "--watch");
    await watched.until("WAITING ask  approval: Release it?");
    await bed.crash();
    expect((await bed.troupe("approve", "last")).exit).toBe(0);
    const { exit, stdout, stderr } = await watched.ended;
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(/SUCCESS in .*\n\{\n {2}"text": "hello, true"\n\}\n$/);
    const said = stdout.split("\n").map((line) => line.replace(/^\s*\+\S+ s/, ""));
    expect(said.filter((line) => line.includes("WAITING ask"))).toHaveLength(1);
    expect(said.filter((line) => line.includes("workflow  RUNNING"))).toHaveLength(1);
  } finally {
    await bed.close();
  }
});
