// What is done to many at once: to those that were chosen, or to all that the filters find.

import { useState } from "preact/hooks";
import { client } from "../connection.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Wrong } from "../parts/said.tsx";
import { type Filters, selectionOf } from "./filters.ts";

type Props = {
  readonly filters: Filters;
  readonly counts: Readonly<Record<string, number>>;
  readonly chosen: ReadonlySet<string>;
  readonly done: () => Promise<void>;
};
type Deed = "cancel" | "retry";
type Outcome = {
  readonly done: number;
  readonly failed: readonly { exec_id: string; code: string; message: string }[];
};

const open = ["PENDING", "RUNNING", "PAUSED"];
const retriable = ["FAILED", "TIMED_OUT", "CANCELED"];

export function Bulk({ filters, counts, chosen, done }: Props) {
  const [deed, setDeed] = useState<Deed | undefined>();
  const wanted = (all: readonly string[]): number =>
    all
      .filter((status) => filters.status.length === 0 || filters.status.includes(status))
      .reduce((sum, status) => sum + (counts[status] ?? 0), 0);
  const toCancel = chosen.size > 0 ? chosen.size : wanted(open);
  const toRetry = chosen.size > 0 ? chosen.size : wanted(retriable);
  return (
    <>
      {toCancel > 0 && (
        <button type="button" class="quiet" onClick={() => setDeed("cancel")}>
          Cancel {toCancel.toLocaleString()} {chosen.size > 0 ? "chosen" : "open"}
        </button>
      )}
      {toRetry > 0 && (
        <button type="button" class="quiet" onClick={() => setDeed("retry")}>
          Retry {toRetry.toLocaleString()} {chosen.size > 0 ? "chosen" : "unsuccessful"}
        </button>
      )}
      {deed && (
        <Confirm
          deed={deed}
          count={deed === "cancel" ? toCancel : toRetry}
          work={() => (chosen.size > 0 ? oneByOne(deed, chosen) : all(deed, filters))}
          close={(isDone) => {
            setDeed(undefined);
            if (isDone) void done();
          }}
        />
      )}
    </>
  );
}

type ConfirmProps = {
  readonly deed: Deed;
  readonly count: number;
  readonly work: () => Promise<Outcome>;
  readonly close: (isDone: boolean) => void;
};

function Confirm({ deed, count, work, close }: ConfirmProps) {
  const [state, setState] = useState<{ is: "asked" | "working" } | { is: "done"; outcome: Outcome }>({ is: "asked" });
  const [error, setError] = useState<unknown>();
  const begin = async (): Promise<void> => {
    setState({ is: "working" });
    try {
      setState({ is: "done", outcome: await work() });
    } catch (reason) {
      setError(reason);
      setState({ is: "asked" });
    }
  };
  const executions = count === 1 ? "1 execution" : `${count.toLocaleString()} executions`;
  if (state.is === "done") {
    return (
      <Dialog
        title={`${deed === "cancel" ? "Canceled" : "Begun once more"}: ${state.outcome.done}`}
        onClose={() => close(true)}
      >
        {state.outcome.failed.length > 0 && (
          <ul class="failures">
            {state.outcome.failed.map(({ exec_id, code, message }) => (
              <li key={exec_id}>
                <a href={`/executions/${exec_id}`}>
                  <code>{exec_id}</code>
                </a>{" "}
                <span class="wrong">{code}</span> {message}
              </li>
            ))}
          </ul>
        )}
        <div class="row end">
          <button type="button" class="primary" onClick={() => close(true)}>
            Done
          </button>
        </div>
      </Dialog>
    );
  }
  return (
    <Dialog title={`${deed === "cancel" ? "Cancel" : "Retry"} ${executions}?`} onClose={() => close(false)}>
      <p class="muted">
        {deed === "cancel"
          ? "Each is ended with all that is open below it. What has ended already stays as it is."
          : "Each begins once more from its beginning, with the same input. Those under way are refused."}
      </p>
      <Wrong error={error} />
      <div class="row end">
        <button type="button" onClick={() => close(false)}>
          Leave them
        </button>
        <button
          type="button"
          class={deed === "cancel" ? "danger primary" : "primary"}
          disabled={state.is === "working"}
          onClick={() => void begin()}
        >
          {state.is === "working" ? "At it …" : deed === "cancel" ? `Cancel ${executions}` : `Retry ${executions}`}
        </button>
      </div>
    </Dialog>
  );
}

async function all(deed: Deed, filters: Filters): Promise<Outcome> {
  const where = selectionOf(filters);
  if (deed === "retry") {
    const { retried, failed } = await client.retryMany({ where });
    return { done: retried.length, failed };
  }
  const { canceled, failed } = await client.cancelMany({ where });
  return { done: canceled.length, failed };
}

async function oneByOne(deed: Deed, chosen: ReadonlySet<string>): Promise<Outcome> {
  let done = 0;
  const failed: { exec_id: string; code: string; message: string }[] = [];
  for (const exec_id of chosen) {
    try {
      await (deed === "cancel" ? client.cancelExecution({ exec_id }) : client.retryExecution({ exec_id }));
      done += 1;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      failed.push({ exec_id, code, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { done, failed };
}
