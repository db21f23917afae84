// The command `troupe wiretap`: what is said over NATS, as it is said, one line for each message or as a drawing.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { SubjectCodec } from "../protocol/subjects.ts";
import { addSettings, settingsIn } from "./settings.ts";
import type { Tapped } from "./tapped.ts";
import { interrupted, untilInterrupted } from "./watch.ts";
import { dim, print, printJson, remark } from "./words.ts";

type Options = {
  correlation?: string;
  execution?: string;
  orders?: true;
  heartbeats: boolean;
  limit?: number;
  mermaid?: true;
  json?: true;
  prefix?: string;
  [setting: string]: unknown;
};

/** A drawing of more could not be read. */
const drawnMax = 1_000;
const idForm = /^[\da-f-]{6,36}$/;

export function wiretap(program: Command): void {
  const command = program
    .command("wiretap")
    .description("Listen to what is said over NATS: one line for each message, or a drawing of all of them.")
    .argument("[subject]", "a subject, wildcards included; without it all of the namespace but orders");
  addSettings(command, ["config", "data_dir", "nats_url"]);
  command
    .option("--nats-creds <file>", "credentials for that server, as its tools write them")
    .option("--nats-key <file>", "a key (nkey) for that server")
    .option("--prefix <name>", "what the subjects begin with, if not as the project says")
    .addOption(
      new Option("--correlation <id>", "only what has this correlation id, or one that ends so").argParser(idOf),
    )
    .addOption(new Option("--execution <id>", "only what is about this execution, or one that ends so").argParser(idOf))
    .option("--orders", "with orders to executors, agents and tools, and their results; see what it warns of")
    .option("--no-heartbeats", "without the beats of runtimes")
    .addOption(new Option("--limit <n>", "end after so many messages").argParser(countIn))
    .addOption(new Option("--mermaid", "a Mermaid sequence diagram of what was heard, at the end").conflicts("json"))
    .option("--json", "one line of JSON for each message, with all that is in it");
  command.action(listen);
}

function idOf(given: string): string {
  const id = given.toLowerCase();
  if (idForm.test(id)) return id;
  throw new InvalidArgumentError("Write an id, or the last six letters of one or more.");
}
function countIn(given: string): number {
  const count = Number(given);
  if (Number.isSafeInteger(count) && count >= 1) return count;
  throw new InvalidArgumentError("Write a whole number, 1 or more.");
}

async function listen(given: string | undefined, options: Options): Promise<void> {
  const [{ readConfig }, { openWiretap }, { newTapped }, { subjectCodec }, { hides, unnoticed }] = await Promise.all([
    import("../daemon/config.ts"),
    import("../daemon/wiretap.ts"),
    import("./tapped.ts"),
    import("../protocol/subjects.ts"),
    import("./listening.ts"),
  ]);
  const {
    correlation,
    execution,
    orders,
    heartbeats,
    limit = Infinity,
    mermaid,
    json,
    prefix: own,
    ...flags
  } = options;
  const config = await readConfig({ flags: settingsIn(flags) });
  const prefix = own ?? config.prefix;
  const subjects = subjectCodec({ prefix, layout: config.subjects });
  const all = `${prefix}.>`;
  const patterns = given !== undefined ? [given] : orders ? [all] : unnoticed(subjects);
  const decode = newTapped(subjects, () => new Date().getTime());
  const isWanted = await wantedBy({ correlation, execution, heartbeats });
  const teller = await tellerOf(mermaid ? "drawing" : json ? "json" : "lines", subjects);
  const countMax = Math.min(limit, teller.max);
  let count = 0;

  const isFull = await untilInterrupted(async (interruption) => {
    const { promise: ended, resolve: end } = Promise.withResolvers<boolean>();
    interruption.addEventListener("abort", () => end(false));
    const tap = await openWiretap(config, patterns, {
      hear(heard) {
        const tapped = decode(heard);
        if (count >= countMax || !isWanted(tapped)) return;
        count += 1;
        teller.tell(tapped);
        if (count >= countMax) end(true);
      },
      failed: (reason) => remark(`not all can be heard: ${reason}`),
      changed: (isConnected) => remark(dim(isConnected ? isBack : isGone)),
    });
    const but = given === undefined && !orders ? ", but for orders and their results (--orders)" : "";
    remark(dim(`listening to ${given ?? all} at ${tap.url}${but}; Ctrl-C ends it`));
    if (patterns.some((pattern) => hides(pattern, subjects))) remark(warning);
    try {
      return await ended;
    } finally {
      await tap.close();
    }
  });
  teller.end();
  if (!isFull) process.exitCode = interrupted;
}

const warning =
  "it hears orders: while it listens, whoever orders what nobody serves is not told at once, and waits for its time";
const isGone = "the server is gone; what is said until it is back is not heard";
const isBack = "the server is there again";

type Wanted = { correlation: string | undefined; execution: string | undefined; heartbeats: boolean };

async function wantedBy({ correlation, execution, heartbeats }: Wanted): Promise<(tapped: Tapped) => boolean> {
  const { correlationOf, isAbout } = await import("./tapped.ts");
  return (tapped) =>
    (correlation === undefined || correlationOf(tapped)?.endsWith(correlation) === true) &&
    (execution === undefined || isAbout(tapped, execution)) &&
    (heartbeats || tapped.is === "malformed" || tapped.key !== "progress:AgentRuntimeHeartbeat");
}

type Teller = { max: number; tell: (tapped: Tapped) => void; end: () => void };

async function tellerOf(form: "lines" | "json" | "drawing", subjects: SubjectCodec): Promise<Teller> {
  const { jsonOf, textOf } = await import("./tapped.ts");
  const nothing = (): void => undefined;
  const text = (tapped: Tapped): string => textOf(tapped, subjects.prefix);
  if (form === "json") return { max: Infinity, tell: (tapped) => printJson(jsonOf(tapped)), end: nothing };
  if (form === "lines") return { max: Infinity, tell: (tapped) => print(text(tapped)), end: nothing };
  const { conversationOf } = await import("../testing/conversation.ts");
  const drawn: Parameters<typeof conversationOf>[0][number][] = [];
  return {
    max: drawnMax,
    tell(tapped) {
      if (tapped.is === "message") drawn.push(tapped.line);
      else remark(text(tapped));
    },
    end() {
      if (drawn.length > 0) print(conversationOf(drawn, subjects));
      else remark("nothing was heard that could be drawn");
    },
  };
}
