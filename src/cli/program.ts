// The commands of `troupe`, in the order in which its help shows them. A command is a function that is given the
// program and adds itself; what it needs for its work it loads when it is called.

import { Command } from "commander";
import { version } from "../version.ts";
import { again } from "./again.ts";
import { backup } from "./backup.ts";
import { bundles } from "./bundles.ts";
import { check } from "./check.ts";
import { completion } from "./completion.ts";
import { config } from "./config.ts";
import { doctor } from "./doctor.ts";
import { events } from "./events.ts";
import { graph } from "./graph.ts";
import { init } from "./init.ts";
import { key } from "./key.ts";
import { list } from "./list.ts";
import { natsPermissions } from "./nats-permissions.ts";
import { rehearse } from "./rehearse.ts";
import { run } from "./run.ts";
import { runtimeTest } from "./runtime-test.ts";
import { schema } from "./schema.ts";
import { show } from "./show.ts";
import { steer } from "./steer.ts";
import { things } from "./things.ts";
import { token } from "./token.ts";
import { trace } from "./trace.ts";
import { up } from "./up.ts";
import { validate } from "./validate.ts";
import { wiretap } from "./wiretap.ts";

type Add = (program: Command) => void;

const groups: Readonly<Record<string, readonly Add[]>> = {
  "Begin:": [init, up, run],
  "Look:": [list, show, events, trace, wiretap],
  "Steer:": [steer, again],
  "Define:": [validate, check, graph, schema, rehearse, runtimeTest],
  "Keep:": [bundles, backup],
  "More:": [things, config, doctor, token, key, natsPermissions, completion],
};

export function programOf(): Command {
  const program = new Command("troupe")
    .description("Runs workflows, tasks, agents and tools as actors, each a statechart that can be watched.")
    .version(version)
    .showHelpAfterError("Run `troupe --help` for what is possible.")
    .exitOverride();
  for (const [name, adds] of Object.entries(groups)) {
    program.commandsGroup(name);
    for (const add of adds) add(program);
  }
  return program;
}
