// What can be done to an execution as it stands, each asked once more before it is done; and who waits for an answer.

import { useState } from "preact/hooks";
import type { Answer } from "../../src/gateway/client.ts";
import { client } from "../connection.ts";
import { useAsked } from "../parts/asked.ts";
import { Approvals } from "./approvals.tsx";
import { CancelDialog } from "./cancel-dialog.tsx";
import { AgainDialog } from "./again-dialog.tsx";
import { SignalDialog, SimpleDialog } from "./steer-dialogs.tsx";

export type Execution = Answer<"getExecution">;
export type Done = () => void;
type Props = {
  readonly execution: Execution;
  /** Something was done: it stands otherwise now. */
  readonly onDone: Done;
  /** All executions of the run, where they are known anyway; else the waiting ones are asked for now and then. */
  readonly tree?: readonly Execution[];
};

const open = ["PENDING", "RUNNING", "WAITING", "PAUSED"];
const lookEveryMs = 2_000;

type Deed = "cancel" | "pause" | "resume" | "signal" | "retry" | "fork";
const words: Readonly<Record<Deed, string>> = {
  cancel: "Cancel",
  pause: "Pause",
  resume: "Resume",
  signal: "Signal",
  retry: "Retry",
  fork: "Fork",
};

function deedsOf({ entity, status, imported }: Execution): Deed[] {
  if (imported === true) return [];
  const isOpen = open.includes(status);
  if (entity === "workflow") {
    if (!isOpen) return status === "SUCCESS" ? ["fork"] : ["retry", "fork"];
    return [status === "PAUSED" ? "resume" : "pause", "signal", "fork", "cancel"];
  }
  return isOpen && entity !== "tool" && entity !== "agent_runtime" ? ["cancel"] : [];
}

export function Actions({ execution, onDone, tree }: Props) {
  const [deed, setDeed] = useState<Deed | undefined>();
  const close = (isDone: boolean): void => {
    setDeed(undefined);
    if (isDone) onDone();
  };
  const all = { execution, close };
  return (
    <div class="actions">
      <div class="row">
        {deedsOf(execution).map((one) => (
          <button
            key={one}
            type="button"
            class={one === "cancel" ? "danger" : one === "retry" ? "primary" : ""}
            onClick={() => setDeed(one)}
          >
            {words[one]}
          </button>
        ))}
      </div>
      <Waiting execution={execution} onDone={onDone} {...(tree && { tree })} />
      {deed === "cancel" && <CancelDialog {...all} />}
      {deed === "pause" && (
        <SimpleDialog
          {...all}
          title="Pause this workflow?"
          says="What is under way goes on to its end; nothing new begins until it is resumed."
          label="Reason"
          verb="Pause"
          work={(reason) => client.pauseExecution({ exec_id: execution.exec_id, ...(reason !== "" && { reason }) })}
        />
      )}
      {deed === "resume" && (
        <SimpleDialog
          {...all}
          title="Resume this workflow?"
          says="It goes on where it was paused."
          verb="Resume"
          work={() => client.resumeExecution({ exec_id: execution.exec_id })}
        />
      )}
      {deed === "signal" && <SignalDialog {...all} />}
      {(deed === "retry" || deed === "fork") && <AgainDialog {...all} kind={deed} />}
    </div>
  );
}

function Waiting({ execution, onDone, tree }: Props) {
  const { entity, status, exec_id } = execution;
  if (!open.includes(status)) return null;
  if (entity === "task") return <Approvals tasks={status === "WAITING" ? [execution] : []} onDone={onDone} />;
  if (entity !== "workflow") return null;
  if (tree) {
    const tasks = tree.filter((one) => one.entity === "task" && one.status === "WAITING");
    return <Approvals tasks={tasks} onDone={onDone} />;
  }
  return <Looked execId={exec_id} onDone={onDone} />;
}

function Looked({ execId, onDone }: { execId: string; onDone: Done }) {
  const waiting = useAsked(
    () => client.listExecutions({ entities: "tasks", run: execId, status: ["WAITING"], limit: 20 }),
    [execId],
    lookEveryMs,
  );
  const answered = (): void => {
    waiting.again();
    onDone();
  };
  return <Approvals tasks={waiting.value?.items ?? []} onDone={answered} />;
}
