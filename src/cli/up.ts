// The command `troupe up`: brings up the daemon, says where it is, and takes it down when it is told to.
//
//   SIGTERM, SIGINT ─▶ drain, at most so long ─▶ 0          again ─▶ at once, 130 or 143
//   a defect ─▶ 1, for whoever starts it again: it goes on where the log ends

import { resolve } from "node:path";
import type { Command } from "commander";
import type { Daemon } from "../daemon/daemon.ts";
import { exits, fromUnknown } from "../protocol/errors.ts";
import { version } from "../version.ts";
import { usualUrl } from "./connection.ts";
import { failureText } from "./failure.ts";
import { addSettings, settingsIn } from "./settings.ts";

const oneSignalMs = 200;

export const up = (program: Command): void => {
  const command = program.command("up").description("Bring up the daemon: HTTP, WebSocket, pages, and all that runs.");
  addSettings(command);
  command.action(async (options: Record<string, unknown>) => {
    const from = performance.now();
    const [{ readConfig }, { openDaemon }, { gather }, { isHeld }, { pagesFolder }] = await Promise.all([
      import("../daemon/config.ts"),
      import("../daemon/daemon.ts"),
      import("../daemon/gather.ts"),
      import("../daemon/held.ts"),
      import("../daemon/pages-folder.ts"),
    ]);
    const config = await readConfig({ flags: settingsIn(options) });
    const { json } = config.settings;
    const pages = pagesFolder(new URL(import.meta.url));
    const { write, flush } = gather((text) => void process.stderr.write(text));
    process.on("exit", flush);
    const isPretty = process.stderr.isTTY && !json;
    let daemon: Daemon;
    const mayExit = keepAlive();
    try {
      daemon = await openDaemon(config, { write, isPretty, ...(pages !== undefined && { pages }) });
    } catch (thrown) {
      mayExit();
      if (!isHeld(thrown)) throw thrown;
      // It may pass: whoever starts daemons may try again.
      console.error(failureText(fromUnknown(thrown), json));
      process.exitCode = exits.failed;
      return;
    }
    // Whoever reads that it is ready may stop it at once.
    const ended = untilEnded(daemon, flush, mayExit);
    flush();
    process.stdout.write(
      json ? `${JSON.stringify(daemon.ready)}\n` : said(daemon, config.settings.data_dir, performance.now() - from),
    );
    await ended;
    mayExit();
  });
};

/**
 * Somebody's agent or tool does not end everybody's process: that it wants to is its own failure, else the daemon would
 * end again at every start, when the call goes on. Gives what makes an exit possible.
 */
function keepAlive(): () => void {
  const { exit } = process;
  process.exit = () => {
    throw new Error("process.exit() is not for agents and tools: they run in the daemon's process; throw an error");
  };
  return () => void (process.exit = exit);
}

function said({ ready, inspector, troupe }: Daemon, dataDir: string, ms: number): string {
  const { http, ws, nats, roles } = ready;
  const served = inspector();
  const doors = [
    ...(http === "" ? [] : ws === "" ? [`${http}/api/ready`] : [`${http}/`, `${http}/api`, ws]),
    ...(served === null ? [] : [`inspector ${served}`]),
    ...(nats ? [nats.key === null ? nats.url : `${nats.url} (runtimes sign in with ${nats.key})`] : []),
  ];
  const line = `troupe ${version} is ready in ${Math.round(ms)} ms: ${doors.join("  ")}`;
  // Where only a part of it is, nothing is begun.
  if (roles && !roles.includes("orchestrator")) return `${line}\nHere: ${roles.join(", ")}\n`;
  const ids = troupe().workflowIds();
  // Whoever has a hello means that to be the first.
  const first = ids.includes("hello") ? "hello" : ids[0];
  // Elsewhere nobody would find it, and begin it without a daemon.
  const isFound = ready.http === usualUrl || resolve(dataDir) === resolve(".troupe");
  const where = isFound ? "" : ` --url ${ready.http}`;
  const next = first === undefined ? "npx troupe init" : `npx troupe run ${first} --watch${where}`;
  return `${line}\nNext: ${next}\n`;
}

/** Until it has ended, whoever wants that. */
async function untilEnded(daemon: Daemon, flush: () => void, mayExit: () => void): Promise<void> {
  const { close, ended, log, isOfCall } = daemon;
  const { report } = log;
  // At once, and without what is said of a command that was cut off.
  const leave = (code: number): never => {
    flush();
    process.removeAllListeners("exit");
    mayExit();
    process.exit(code);
  };
  let stoppingSince: number | undefined;
  const numbers = { SIGINT: 2, SIGTERM: 15 } as const;
  for (const [signal, number] of Object.entries(numbers)) {
    process.on(signal, () => {
      const now = performance.now();
      stoppingSince ??= now;
      // A terminal tells the whole group of an interrupt, and npm passes on what it was told: that is one, not two.
      if (now - stoppingSince > oneSignalMs) leave(128 + number);
      if (now > stoppingSince) return;
      report("info", `${signal}: stopping; once more ends it at once`, {});
      close().catch((error: unknown) => {
        report("error", "it did not stop as it should", { reason: fromUnknown(error).message });
        leave(exits.failed);
      });
    });
  }
  // A promise that nobody waits for is of somebody's agent or tool, and no reason to stop all the others.
  process.on("unhandledRejection", (reason) =>
    report("error", "a promise was rejected, and nobody heard", { reason: fromUnknown(reason).message }),
  );
  // After anything else that nobody caught, what is in memory may be anything; what is on disk is right.
  process.on("uncaughtException", (error) => {
    const { message: reason, stack } = error;
    if (isOfCall(error))
      return report("error", "an agent or tool threw where nobody could catch it", { reason, stack });
    report("fatal", "an error that nobody caught: the daemon ends", { reason, stack });
    leave(exits.failed);
  });
  const error = await ended;
  if (error) process.exitCode = exits.failed;
}
