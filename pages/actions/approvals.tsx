// Tasks that wait for a person: what is asked, and the answer; and those that wait for data, which can be given here.

import { useState } from "preact/hooks";
import { client } from "../connection.ts";
import { JsonField } from "../parts/json-field.tsx";
import { Wrong } from "../parts/said.tsx";
import { Time } from "../parts/time.tsx";
import type { Done, Execution } from "./actions.tsx";
import { Dialog } from "../parts/dialog.tsx";

type Wait = { readonly approval?: string; readonly signal?: string; readonly duration_ms?: number };
const waitOf = (task: Execution): Wait => (task.about as { wait?: Wait } | null)?.wait ?? {};

/** Of very many only the first are shown: each answer makes room. */
const shownMax = 5;

export function Approvals({ tasks, onDone }: { tasks: readonly Execution[]; onDone: Done }) {
  const shown = tasks.filter((task) => waitOf(task).duration_ms === undefined);
  if (shown.length === 0) return null;
  return (
    <div class="approvals stack">
      {shown.slice(0, shownMax).map((task) => (
        <Approval key={task.exec_id} task={task} onDone={onDone} />
      ))}
      {shown.length > shownMax && <p class="muted small">{shown.length - shownMax} more wait.</p>}
    </div>
  );
}

function Approval({ task, onDone }: { task: Execution; onDone: Done }) {
  const { approval, signal } = waitOf(task);
  const [comment, setComment] = useState("");
  const [state, setState] = useState<{ error?: unknown; isBusy: boolean }>({ isBusy: false });
  const [isOther, setOther] = useState(false);
  const answer = async (resume_data: unknown): Promise<void> => {
    setState({ isBusy: true });
    try {
      await client.resumeTask({ exec_id: task.exec_id, resume_data });
      onDone();
    } catch (error) {
      setState({ isBusy: false, error });
    }
  };
  const decide = (approved: boolean): void =>
    void answer({ approved, ...(comment.trim() !== "" && { comment: comment.trim() }) });
  return (
    <section class="approval" aria-label={`Task ${task.id} waits`}>
      <div class="row">
        <strong class="grow">
          {approval ?? (signal === undefined ? "Waits for data" : `Waits for signal ${signal}`)}
        </strong>
        <span class="muted small">
          <a href={`/executions/${task.exec_id}`}>{task.id}</a>, since <Time at={task.started_at ?? task.created_at} />
        </span>
      </div>
      <Wrong error={state.error} />
      {approval === undefined ? (
        <div class="row">
          <button type="button" onClick={() => setOther(true)}>
            Go on with data …
          </button>
        </div>
      ) : (
        <form
          class="row"
          onSubmit={(event) => {
            event.preventDefault();
            decide(true);
          }}
        >
          <input
            class="grow"
            aria-label="Comment"
            placeholder="Comment (optional)"
            value={comment}
            onInput={(event) => setComment(event.currentTarget.value)}
          />
          <button class="primary" disabled={state.isBusy}>
            Approve
          </button>
          <button type="button" class="danger" disabled={state.isBusy} onClick={() => decide(false)}>
            Deny
          </button>
        </form>
      )}
      {isOther && (
        <DataDialog
          task={task.id}
          close={() => setOther(false)}
          give={(data) => {
            setOther(false);
            void answer(data);
          }}
        />
      )}
    </section>
  );
}

type DataProps = { readonly task: string; readonly close: () => void; readonly give: (data: unknown) => void };

function DataDialog({ task, close, give }: DataProps) {
  const [data, setData] = useState<{ value: unknown } | undefined>({ value: {} });
  return (
    <Dialog title={`Go on with task ${task}`} onClose={close}>
      <JsonField id="resume-data" label="Data" text="{}" onChange={setData} />
      <div class="row end">
        <button type="button" onClick={close}>
          Leave it
        </button>
        <button type="button" class="primary" disabled={!data} onClick={() => data && give(data.value)}>
          Go on
        </button>
      </div>
    </Dialog>
  );
}
