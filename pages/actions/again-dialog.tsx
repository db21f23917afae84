// Retry and fork: from where, with which input, and then to the new execution.

import { useState } from "preact/hooks";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { JsonField } from "../parts/json-field.tsx";
import { go } from "../router.ts";
import type { Execution } from "./actions.tsx";
import { AskDialog } from "./steer-dialogs.tsx";
import { inputOf } from "../start/input-of.ts";

type Props = {
  readonly execution: Execution;
  readonly kind: "retry" | "fork";
  readonly close: (isDone: boolean) => void;
};

const meanings = {
  fork: "A second run begins at a task, with the results this one had when that task began. This one stays as it is.",
  retry: "It begins once more; tasks before the one chosen are not done again, their results are reused.",
} as const;

async function tasksOf(execId: string): Promise<string[]> {
  const { items } = await client.listExecutions({ entities: "tasks", run: execId, order: "oldest", limit: 200 });
  return [...new Set(items.filter(({ parent }) => parent === execId || parent === null).map(({ id }) => id))];
}

export function AgainDialog({ execution, kind, close }: Props) {
  const { exec_id } = execution;
  const known = useAsked(async () => ({ input: await inputOf(exec_id), tasks: await tasksOf(exec_id) }), [exec_id]);
  const [from, setFrom] = useState("");
  const [isEdited, setEdited] = useState(false);
  const [isNewest, setNewest] = useState(false);
  const [input, setInput] = useState<{ value: unknown } | undefined>();
  const { tasks = [], input: original } = known.value ?? {};
  // A whole retry is as it was; with anything else it begins at the first task.
  const isChanged = isEdited || isNewest;
  const start = from !== "" ? from : kind === "fork" || isChanged ? (tasks[0] ?? "") : "";

  const work = async (): Promise<void> => {
    const given = {
      exec_id,
      ...(isEdited && input && { input: input.value }),
      ...(isNewest && { definition: "newest" as const }),
    };
    const begun =
      kind === "fork"
        ? await client.forkExecution({ ...given, from: start })
        : await client.retryExecution({ ...given, ...(start !== "" && { from: start }) });
    go(`/executions/${begun.exec_id}`);
  };
  return (
    <AskDialog
      title={kind === "fork" ? "Fork this execution" : "Retry this execution"}
      verb={kind === "fork" ? "Fork" : "Retry"}
      isReady={known.value !== undefined && (kind === "retry" || start !== "") && (!isEdited || input !== undefined)}
      close={close}
      work={work}
    >
      <p class="muted">{meanings[kind]}</p>
      <div class="field">
        <label for="again-from">From</label>
        <select
          id="again-from"
          value={kind === "retry" ? from : start}
          onChange={(event) => setFrom(event.currentTarget.value)}
        >
          {kind === "retry" && <option value="">its beginning</option>}
          {tasks.map((task) => (
            <option key={task} value={task}>
              task {task}
            </option>
          ))}
        </select>
      </div>
      <label class="row">
        <input type="checkbox" checked={isNewest} onChange={(event) => setNewest(event.currentTarget.checked)} />
        with the definition as it is now
      </label>
      <label class="row">
        <input
          type="checkbox"
          checked={isEdited}
          onChange={(event) => {
            setEdited(event.currentTarget.checked);
            setInput({ value: original });
          }}
        />
        with another input
      </label>
      {isEdited && (
        <JsonField id="again-input" label="Input" text={JSON.stringify(original ?? {}, null, 2)} onChange={setInput} />
      )}
    </AskDialog>
  );
}
