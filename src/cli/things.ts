// The commands that list what there is beside executions: runtimes, schedules, threads, message types.

import { type Command, Option } from "commander";
import { clientOf, type Reach, withConnection } from "./connection.ts";
import { inStatus, next, print, printJson, remark, self, table, whenOf } from "./words.ts";

type Options = Reach & { json?: true };

const listing = (program: Command, name: string, says: string): Command =>
  withConnection(program.command(name).description(says)).option("--json", "one JSON document");

export function things(program: Command): void {
  listing(program, "runtimes", "List who runs agents, here and elsewhere.").action(runtimes);
  listing(program, "schedules", "List the schedules of all workflows, and when each is due.").action(schedules);
  listing(program, "threads", "List conversations with agents, or show one of them.")
    .argument("[thread]", "the id of a thread, to show what was said in it")
    .action(threads);
  program
    .command("message-types")
    .description("List every message of the protocol: its kind, name, subject and meaning.")
    .addOption(new Option("--kind <kind>", "only these").choices(["command", "result", "event", "progress", "log"]))
    .option("--json", "one JSON document")
    .action(messageTypes);
}

async function runtimes(options: Options): Promise<void> {
  const { items } = await clientOf(options).listRuntimes();
  if (options.json) return printJson({ items });
  if (items.length === 0) {
    return print(
      [
        "nobody runs agents: a daemon does, unless its `roles` say otherwise",
        "one elsewhere shows here once it has registered: docs/runtimes.md tells how it does",
      ].join("\n"),
    );
  }
  const now = new Date().getTime();
  const rows = items.map((one) => [
    one.id,
    inRuntimeState(one.state),
    [one.language ?? "-", one.version].filter(Boolean).join(" "),
    `${one.held} of ${one.max}`,
    String(one.in_flight),
    whenOf(one.heard_at, now),
    one.agents.join(" "),
    one.exec_id,
    one.last_error
      ? `${one.last_error.code} ${whenOf(one.last_error.at, now)}: ${oneLine(one.last_error.message)}`
      : "",
  ]);
  const head = ["runtime", "state", "written in", "given", "in flight", "heard", "agents", "execution", "last error"];
  print(table(head, rows));
}

/** The states of a runtime, as its chart names them, in the colours of those that people know. */
const inRuntimeState = (state: string): string =>
  inStatus(state === "registered" ? "REGISTERED" : state === "deregistered" ? "FAILED" : "CANCELED", state);
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

async function schedules(options: Options): Promise<void> {
  const { items } = await clientOf(options).listSchedules();
  if (options.json) return printJson({ items });
  if (items.length === 0)
    return print("there are no schedules: a workflow has one with `triggers: [{ type: schedule, cron: … }]`");
  const now = new Date().getTime();
  const rows = items.map(({ workflow, n, cron, timezone, enabled, paused, next: due, last, open, missed }) => [
    `${workflow} ${n}`,
    cron,
    timezone,
    paused ? "paused" : enabled ? whenOf(due, now) : "off",
    whenOf(last, now),
    [open.length > 0 ? `${open.length} under way` : "", missed > 0 ? `${missed} missed` : ""]
      .filter(Boolean)
      .join(", "),
  ]);
  print(table(["schedule", "cron", "zone", "next", "last", ""], rows));
}

async function threads(thread: string | undefined, options: Options): Promise<void> {
  const client = clientOf(options);
  if (thread !== undefined) {
    const whole = await client.getThread({ thread_id: thread });
    if (options.json) return printJson(whole);
    for (const { request, result, error, status, run_id } of whole.turns) {
      print(`> ${JSON.stringify(request)}\n  ${JSON.stringify(result ?? error ?? status)}  (${run_id})`);
    }
    return;
  }
  const page = await client.listThreads();
  if (options.json) return printJson(page);
  if (page.items.length === 0)
    return print("there are no conversations yet: they begin over the WebSocket, with start_agent or chat");
  const now = new Date().getTime();
  const rows = page.items.map(({ thread_id, agent_id, status, runs, queued, updated_at }) => [
    thread_id,
    agent_id ?? "-",
    status,
    String(runs),
    String(queued),
    whenOf(updated_at, now),
  ]);
  print(table(["thread", "agent", "status", "runs", "queued", "last"], rows));
  if (page.next_cursor !== null)
    remark(`the newest ${page.items.length} are shown: \`${self} threads --json\` gives the cursor`);
  remark(next([`threads ${page.items[0]?.thread_id}`, "what was said in it"]));
}

/** The protocol is the same with and without a daemon. */
async function messageTypes({ kind, json }: { kind?: string; json?: true }): Promise<void> {
  const { entryOf, keys, nameOf } = await import("../protocol/catalogue.ts");
  const items = keys
    .map((key) => ({ key, name: nameOf(key), ...entryOf(key) }))
    .filter((one) => kind === undefined || one.kind === kind)
    .map(({ key, kind: own, name, subject, aliases = [], summary }) => ({
      key,
      kind: own,
      name,
      subject,
      aliases: aliases.map((alias) => alias.name),
      description: summary,
    }));
  if (json) return printJson({ items });
  print(
    table(
      ["kind", "name", "subject", ""],
      items.map((one) => [one.kind, one.name, one.subject, one.description]),
    ),
  );
}
