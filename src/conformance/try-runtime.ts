// The test of a runtime from what is said on the command line: its server, its process, and all of it closed again.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../actors/clock.ts";
import { TroupeError } from "../protocol/errors.ts";
import type { Layout } from "../protocol/layouts.ts";
import { nearest } from "../protocol/nearest.ts";
import { credsAuthenticator, nkeyAuthenticator } from "../transport/nats-client.ts";
import { startNatsServer } from "../transport/nats-server.ts";
import { type NatsOptions, openNats } from "../transport/nats.ts";
import { examine, type Outcome } from "./conformance.ts";
import { type RuleId, rules } from "./rules.ts";
import { processOf, startCommand, type UnderTest } from "./under-test.ts";

export type Trial = {
  url?: string;
  creds?: string;
  key?: string;
  prefix: string;
  subjects: Layout;
  runtime?: string;
  agent?: string;
  tool?: string;
  command?: string;
  pid?: number;
  patience: number;
  only?: readonly string[];
};

type Place = { server: NatsOptions["server"]; environment: Record<string, string>; close: () => Promise<void> };

export async function tryRuntime(trial: Trial, tell: (line: string) => void): Promise<Outcome> {
  const { prefix, subjects: layout, command, pid, patience: patienceMs, runtime, agent, tool } = trial;
  if (command !== undefined && pid !== undefined) {
    throw new TroupeError(
      "VALIDATION_FAILED",
      "--command starts the runtime, and --pid is one that runs: leave one out",
    );
  }
  const only = trial.only && trial.only.map(ruleOf);
  const clock = systemClock();
  const { server, environment, close } = await placeOf(trial);
  const held: { process?: UnderTest } = {};
  const report = (): void => undefined;
  try {
    const transport = await openNats({ server, clock, prefix, layout, report });
    try {
      const connection = transport.connect({ name: `${prefix}-runtime-test`, onFault: report });
      await transport.settled();
      if (pid !== undefined) held.process = processOf(pid, clock);
      const start = (): UnderTest => {
        const variables = { ...environment, TROUPE_PREFIX: prefix, TROUPE_SUBJECTS: layout };
        return (held.process = startCommand(command ?? "", variables));
      };
      tell(command === undefined ? "looking for the runtime …" : `starting ${command} …`);
      const wanted = {
        connection,
        clock,
        prefix,
        layout,
        patienceMs,
        runtime,
        agent,
        tool,
        only,
        process: held.process,
      };
      return await examine(wanted, command === undefined ? undefined : start);
    } finally {
      await transport.close();
    }
  } finally {
    held.process?.kill();
    await close();
  }
}

async function placeOf({ url, creds, key, command }: Trial): Promise<Place> {
  if (url !== undefined) {
    const authenticator = authenticatorOf(creds, key);
    const files = { ...(creds !== undefined && { NATS_CREDS: creds }), ...(key !== undefined && { NATS_NKEY: key }) };
    const server = { servers: url, ...(authenticator && { authenticator }) };
    return { server, environment: { NATS_URL: url, ...files }, close: () => Promise.resolve() };
  }
  if (command === undefined) {
    const message =
      "--url says where the runtime is; without it, --command starts it beside a server of the test's own";
    throw new TroupeError("VALIDATION_FAILED", message);
  }
  const directory = mkdtempSync(join(tmpdir(), "troupe-runtime-test-"));
  const started = await startNatsServer({ directory, clock: systemClock(), report: () => undefined });
  const seedFile = join(directory, "runtime.nk");
  started.credentials(seedFile);
  return {
    server: { servers: started.url(), authenticator: started.authenticator },
    environment: { NATS_URL: started.url(), NATS_NKEY: seedFile },
    async close() {
      await started.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function authenticatorOf(creds: string | undefined, key: string | undefined) {
  const bytes = (path: string): Uint8Array => new TextEncoder().encode(readFileSync(path, "utf8").trim());
  if (creds !== undefined) return credsAuthenticator(bytes(creds));
  return key === undefined ? undefined : nkeyAuthenticator(bytes(key));
}

function ruleOf(given: string): RuleId {
  if (Object.hasOwn(rules, given)) return given as RuleId;
  const names = Object.keys(rules);
  const meant = nearest(given, names);
  const hint = meant === undefined ? `there are ${names.join(", ")}` : `did you mean '${meant}'?`;
  throw new TroupeError("VALIDATION_FAILED", `no rule '${given}'; ${hint}`, { given, known: names });
}
