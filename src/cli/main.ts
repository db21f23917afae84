// The command `troupe`: reads the command line, runs one command, and turns how it ended into an exit code.
//
// Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nobody answered; an error's own is in the table of protocol/errors.ts.
// Interrupted is 130. The commands are in program.ts.

import { CommanderError } from "commander";
import { errorRow, exits, fromUnknown } from "../protocol/errors.ts";
import { failureText } from "./failure.ts";
import { programOf } from "./program.ts";
import { remark } from "./words.ts";

const program = programOf();

// Whoever closes the pipe, as head does, has seen enough. Output that is lost in any other way is a failure, and it is
// so at once: what comes after it would only hide it.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") return;
  isDone = true;
  console.error(`troupe: cannot write the output: ${error.message}`);
  process.exit(exits.failed);
});

// A definition in TypeScript is run when it is read: it must not end the process as if all were well.
let isDone = false;
process.on("exit", () => {
  if (isDone) return;
  console.error("troupe: a module ended the process, or never came to its end, before the command was done");
  process.exitCode = exits.failed;
});

try {
  if (process.argv.length === 2) program.help({ error: true });
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = thrown instanceof CommanderError ? usageExit(thrown) : failureExit(thrown);
}
isDone = true;
// Nor may it hold the process up, by a timer or a connection that it has opened. What was said is written first.
// oxlint-disable-next-line no-restricted-globals -- no wait: an output that failed says so right after this
process.stdout.write("", () => setImmediate(() => process.exit()));

// Commander has already written the help, the version or the complaint; it would say 1 where we say 2.
function usageExit(end: CommanderError): number {
  return end.exitCode === 0 ? 0 : exits.usage;
}

function failureExit(thrown: unknown): number {
  const error = fromUnknown(thrown);
  remark(failureText(error, process.argv.includes("--json")));
  // Only a defect of ours needs a stack; any other error's message says what to do.
  if (error.code === "INTERNAL_ERROR") console.error(error.cause ?? error);
  return errorRow(error.code).exit;
}
