// Disks that are full or may not be written, and a directory that is taken: each has to be said, and nothing is lost.
//
// A disk of its own is a small tmpfs, which only root may mount: without, that scene is skipped and says so. Root in
// turn may write where permissions forbid it, so for root the read-only directory is on such a disk too.

import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { openAudit } from "./audit.ts";
import { openClients } from "./clients.ts";
import { openLedger, ranIn } from "./ledger.ts";
import { begin, Refused } from "./life.ts";

export type Scene = { says: string; findings: string[] };

// The log of SQLite alone takes 8 MB before it is written back.
const sizeBytes = 42 * 1024 * 1024;
const ballastBytes = 30 * 1024 * 1024;
const patienceMs = 30_000;
const clientCount = 12;

const mount = (...args: string[]): boolean => process.getuid?.() === 0 && spawnSync("/bin/mount", args).status === 0;
const mountSmall = (place: string): boolean => mount("-t", "tmpfs", "-o", `size=${sizeBytes}`, "tmpfs", place);

async function inPlace(act: (place: string) => Promise<Scene>): Promise<Scene> {
  const place = mkdtempSync(join(tmpdir(), "troupe-disk-"));
  try {
    return await act(place);
  } finally {
    spawnSync("/bin/umount", ["-l", join(place, "disk")]);
    rmSync(place, { recursive: true, force: true });
  }
}

async function until(isSo: () => boolean): Promise<boolean> {
  for (const end = performance.now() + patienceMs; performance.now() < end; await after(20)) if (isSo()) return true;
  return isSo();
}

type Filling = {
  random: () => number;
  place: string;
  directory: string;
  pagesMax?: number;
  /** Makes room under the running engine. */
  makeRoom?: () => void;
};

/** It fills up under load and says so; there is room again, for the running engine or for the next one. */
async function fill({ random, place, directory, pagesMax, makeRoom }: Filling): Promise<Scene> {
  const handlers = join(place, "handlers.jsonl");
  const findings: string[] = [];
  const find = (finding: string): void => void findings.push(`full: ${finding}`);
  const ledger = openLedger(join(place, "parent.jsonl"));
  const clients = openClients({ ledger, random, find });
  const audit = openAudit(directory, find);
  const life = begin({ directory, ledger: handlers, ...(pagesMax !== undefined && { pagesMax }) });
  await life.ready;
  const work = clients.work(life, clientCount);
  if (!(await until(() => clients.counts.refused > clientCount))) find("it never filled up, or nobody was told");
  const before = clients.intents.length;
  if (makeRoom) {
    makeRoom();
    if (!(await until(() => clients.intents.length > before + 20))) find("it did not go on when there was room");
  }
  await life.kill();
  await work;
  const next = begin({ directory, ledger: handlers });
  await next.ready;
  const all = clients.takeUp(next);
  await Promise.race([all, after(patienceMs, undefined, { ref: false })]);
  for (const { key, workflow } of clients.open) find(`I1 ${key} (${workflow}) has not ended`);
  next.signal("SIGTERM");
  await Promise.race([next.closed, after(patienceMs, undefined, { ref: false })]);
  await next.kill();
  await all;
  audit.look();
  audit.holdAgainst(clients.intents);
  audit.conclude(clients.intents, ranIn(handlers));
  ledger.close();
  return { says: `${before} wishes until it was full, ${clients.intents.length} in all`, findings };
}

/** The database reaches the size it may have; the next engine lets it grow. */
export const fullFile = (random: () => number): Promise<Scene> =>
  inPlace((place) => fill({ random, place, directory: join(place, "data"), pagesMax: 200 }));

/** A disk of its own fills up, and is given room while the engine runs. */
export const fullDisk = (random: () => number): Promise<Scene> =>
  inPlace(async (place) => {
    const disk = join(place, "disk");
    mkdirSync(disk);
    if (!mountSmall(disk)) return { says: "skipped: a tmpfs needs root, and a kernel that allows it", findings: [] };
    const ballast = join(disk, "ballast");
    writeFileSync(ballast, Buffer.alloc(ballastBytes));
    return fill({ random, place, directory: join(disk, "data"), makeRoom: () => rmSync(ballast) });
  });

const refusalOf = (ready: Promise<unknown>): Promise<string | null> =>
  ready.then(
    () => null,
    (error: unknown) => (error instanceof Refused ? error.message : `no refusal: ${String(error)}`),
  );

export const readOnlyDirectory = (): Promise<Scene> =>
  inPlace(async (place) => {
    const disk = join(place, "disk");
    mkdirSync(disk);
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !(mountSmall(disk) && mount("-o", "remount,ro", disk))) {
      return { says: "skipped: root may write everywhere, and no tmpfs could be mounted", findings: [] };
    }
    if (!isRoot) chmodSync(disk, 0o555);
    const life = begin({ directory: join(disk, "data"), ledger: join(place, "handlers.jsonl") });
    const message = await refusalOf(life.ready);
    await life.kill();
    if (!isRoot) chmodSync(disk, 0o755);
    const isClear = message?.includes(disk) === true && /writ/.test(message);
    return { says: message ?? "it started", findings: isClear ? [] : [`read-only directory: ${message ?? "started"}`] };
  });

export const secondProcess = (): Promise<Scene> =>
  inPlace(async (place) => {
    const orders = { directory: join(place, "data"), ledger: join(place, "handlers.jsonl") };
    const first = begin(orders);
    await first.ready;
    const second = begin(orders);
    const message = await refusalOf(second.ready);
    await second.kill();
    await first.kill();
    const third = begin(orders);
    const after = await refusalOf(third.ready);
    await third.kill();
    const isClear = message?.includes(`process ${first.pid}`) === true;
    return {
      says: message ?? "it started",
      findings: [
        ...(isClear ? [] : [`a second process: ${message ?? "started"}`]),
        ...(after === null ? [] : [`after kill -9 the directory stayed taken: ${after}`]),
      ],
    };
  });
