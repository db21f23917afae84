// Which execution is meant: by its id, by a part of it, or the newest of all with `last`.

import type { Answer, Client } from "../gateway/client.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isExecId } from "../protocol/ids.ts";
import { nearest } from "../protocol/nearest.ts";

export type Execution = Answer<"getExecution">;

const partCharsMin = 4;
const newestMax = 200;

export const execArgument = "its id, the end of it, or `last`";

/** What it waits for somebody to say yes to. */
export const approvalOf = ({ about, status }: Execution): string | undefined =>
  status === "WAITING" ? ((about ?? {}) as { wait?: { approval?: string } }).wait?.approval : undefined;

export async function executionAt(client: Client, given: string): Promise<Execution> {
  if (given === "last") return newest(client);
  if (isExecId(given)) {
    try {
      return await client.getExecution({ exec_id: given });
    } catch (error) {
      if (fromUnknown(error).code !== "EXECUTION_NOT_FOUND") throw error;
      throw await unknown(client, given);
    }
  }
  const found = /^[0-9a-f-]+$/.test(given) && given.length >= partCharsMin ? await withPart(client, given) : [];
  const [only, other] = found;
  if (!only) throw await unknown(client, given);
  if (!other) return only;
  const ids = found.slice(0, 5).map(({ exec_id, id }) => `${exec_id} (${id})`);
  const message = `'${given}' is a part of several ids: ${ids.join(", ")}; write more of it`;
  throw new TroupeError("EXECUTION_NOT_FOUND", message, { given });
}

async function newest(client: Client): Promise<Execution> {
  const { items } = await client.listExecutions({ entities: "workflows", limit: 1 });
  if (items[0]) return items[0];
  throw new TroupeError("EXECUTION_NOT_FOUND", "nothing has been run yet", { given: "last" });
}

/** Workflow executions before their tasks, and what ends so before what only contains it. */
async function withPart(client: Client, part: string): Promise<Execution[]> {
  const { items } = await client.listExecutions({ entities: "any", text: part, limit: newestMax });
  const ending = items.filter(({ exec_id }) => exec_id.endsWith(part));
  const found = ending.length > 0 ? ending : items.filter(({ exec_id }) => exec_id.includes(part));
  // A direct run and its first call share their id: they are one.
  return [...new Map(found.map((one) => [one.exec_id, one])).values()];
}

async function unknown(client: Client, given: string): Promise<TroupeError> {
  const { items } = await client.listExecutions({ entities: "workflows", limit: newestMax });
  const ids = items.map(({ exec_id }) => exec_id);
  const meant =
    nearest(given, ids) ??
    nearest(
      given,
      ids.map((id) => id.slice(-given.length)),
    );
  const isWorkflow = items.some(({ id }) => id === given);
  const hint = isWorkflow
    ? `; that is a workflow: \`list --workflow ${given}\` shows its executions`
    : meant === undefined
      ? ""
      : `; did you mean '${meant}'?`;
  return new TroupeError("EXECUTION_NOT_FOUND", `no execution '${given}' is known${hint}`, { exec_id: given });
}
