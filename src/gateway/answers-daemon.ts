// What is answered about the process itself: how it is, what it logs, its conversations; and what comes from outside.

import { statSync } from "node:fs";
import { catalogue } from "../protocol/catalogue.ts";
import type { Entry } from "../protocol/entry.ts";
import { TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";
import type { Troupe } from "../runtime/troupe.ts";
import { version } from "../version.ts";
import { given } from "./answers-executions.ts";
import type { Answers, AnswersOf, Asked } from "./answers.ts";
import { checkBackupFile } from "./backup-file.ts";
import type { DaemonDoor, ThreadDoor } from "./door.ts";
import { openapi } from "./openapi.ts";
import { pageOf } from "./page.ts";

type BodyOf<K extends keyof Answers> = Awaited<ReturnType<Answers[K]>>["body"];
export type Threads = ThreadDoor<BodyOf<"listThreads">, BodyOf<"getThread">>;

type Means = {
  troupe: Troupe;
  daemon: DaemonDoor | undefined;
  /** They are there before the first request. */
  threads: () => Threads | undefined;
};

type Levels = BodyOf<"getLogLevel">["level"];

const linesUnlessSaid = 50;
const protocolVersion = 1;

/** What a process that is no daemon has not got. */
const absent = (what: string): TroupeError =>
  new TroupeError("NOT_FOUND", `this process has no ${what}: it was not begun with \`troupe up\``, { what });

const messageTypes = Object.entries(catalogue).map(([key, entry]) => {
  const [kind = "", name = ""] = key.split(":");
  const { subject, summary, aliases = [] } = entry as Entry;
  return { key, kind, name, subject, aliases: aliases.map((alias) => alias.name), description: summary };
});

export function daemonAnswers({ troupe, daemon, threads }: Means) {
  const door = (what: string): DaemonDoor => {
    if (daemon) return daemon;
    throw absent(what);
  };
  const inspector = () => {
    const found = daemon?.inspector;
    if (found) return found;
    throw absent("inspector");
  };
  const conversations = (): Threads => {
    const found = threads();
    if (found) return found;
    throw absent("conversations");
  };

  const logs = ({ query }: Pick<Asked<"getLogs">, "query">, workflow?: string) => {
    const { limit = linesUnlessSaid, level, exec_id, cursor } = query;
    const { items, nextCursor } = door("log").logs({
      limit,
      ...given({ level, execId: exec_id, workflow, after: cursor }),
    });
    return { body: { items, next_cursor: nextCursor } };
  };

  return {
    root: () => ({
      body: {
        name: "troupe",
        version,
        links: {
          workflows: "/api/workflows",
          executions: "/api/any/executions",
          runtimes: "/api/runtimes",
          socket: "/api/ws",
          openapi: "/openapi.json",
          documentation: "/swagger.ui",
        },
      },
    }),
    health: () => ({
      body: daemon?.health() ?? {
        status: "ok" as const,
        uptime_ms: Math.round(process.uptime() * 1_000),
        event_loop_lag_ms: 0,
      },
    }),
    ready() {
      const { ready, reasons } = daemon?.ready() ?? { ready: true, reasons: [] };
      return {
        status: ready ? 200 : 503,
        body: { status: ready ? ("ready" as const) : ("not_ready" as const), reasons },
      };
    },
    async metrics() {
      const { text, contentType } = await door("metrics").metrics();
      return { body: text, headers: { "content-type": contentType } };
    },
    version: () => ({ body: { name: "troupe", version, protocol: protocolVersion, node: process.versions.node } }),
    messageTypes: ({ query }) => ({ body: pageOf(messageTypes, query) }),
    openapi: () => ({ body: openapi() }),

    async listThreads({ query: { limit = linesUnlessSaid, cursor } }) {
      return { body: await conversations().list({ limit, ...given({ after: cursor }) }) };
    },
    async getThread({ params }) {
      return { body: await conversations().get(params.thread_id) };
    },
    async deleteThread({ params }) {
      await conversations().remove(params.thread_id);
      return { status: 204, body: null };
    },
    async receiveHook({ params, query, body, headers }) {
      const texts = Object.entries(query).map(([name, value]) => [name, String([value].flat()[0])]);
      const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
      const delivery = { path: params.path, headers, body: bytes, query: Object.fromEntries(texts) };
      const { status, execId, duplicate } = await troupe.receive(delivery);
      return { status, body: given({ exec_id: execId, duplicate }) };
    },

    getLogs: ({ query }) => logs({ query }),
    getLog({ params }) {
      const line = door("log").log(params.message_id);
      if (line) return { body: line };
      throw new TroupeError("NOT_FOUND", `no line of the log has the id '${clip(params.message_id)}'`);
    },
    getWorkflowLogs: ({ params, query }) => logs({ query }, params.id),
    getLogLevel: () => ({ body: { level: door("log").logLevel() as Levels } }),
    putLogLevel({ body: { level } }) {
      door("log").setLogLevel(level);
      return { body: { level } };
    },
    getInspector: () => ({ body: daemon?.inspector?.status() ?? { enabled: false, port: null, url: null } }),
    async putInspector({ body: { enabled, port } }) {
      return { body: await inspector().set({ enabled, ...given({ port }) }) };
    },
    getConfig: ({ query }) => ({ body: pageOf(door("configuration").config(), query) }),
    getStats: () => ({ body: troupe.stats() }),
    async backup({ body: { file } }) {
      checkBackupFile(file);
      await troupe.backup(file);
      // What is kept in memory alone is copied in memory too.
      return { body: { file, bytes: statSync(file, { throwIfNoEntry: false })?.size ?? 0 } };
    },
    async reload() {
      return { body: { problems: await troupe.reload() } };
    },
  } satisfies AnswersOf<
    | "root"
    | "health"
    | "ready"
    | "metrics"
    | "version"
    | "messageTypes"
    | "openapi"
    | "listThreads"
    | "getThread"
    | "deleteThread"
    | "receiveHook"
    | "getLogs"
    | "getLog"
    | "getWorkflowLogs"
    | "getLogLevel"
    | "putLogLevel"
    | "getInspector"
    | "putInspector"
    | "getConfig"
    | "getStats"
    | "backup"
    | "reload"
  >;
}
