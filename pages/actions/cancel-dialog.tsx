// Asks whether to cancel, and shows what came of it: which parts confirmed, which did not, and how long each took.

import { useState } from "preact/hooks";
import type { Answer } from "../../src/gateway/client.ts";
import { client } from "../connection.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Wrong } from "../parts/said.tsx";
import { lengthOf } from "../parts/time.tsx";
import type { Execution } from "./actions.tsx";

type Props = { readonly execution: Execution; readonly close: (isDone: boolean) => void };
type Canceled = Answer<"cancelExecution">;

/** Longer than whatever is canceled may take. */
const waitMs = 20_000;

function cancel({ entity, exec_id }: Execution, reason: string): Promise<Canceled> {
  const given = { exec_id, wait_ms: waitMs, ...(reason !== "" && { reason }) };
  if (entity === "task") return client.cancelTask(given);
  return entity === "agent" ? client.cancelAgent(given) : client.cancelExecution(given);
}

export function CancelDialog({ execution, close }: Props) {
  const [reason, setReason] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [canceled, setCanceled] = useState<Canceled | undefined>();
  const begin = async (): Promise<void> => {
    setBusy(true);
    try {
      setCanceled(await cancel(execution, reason.trim()));
    } catch (caught) {
      setError(caught);
    }
    setBusy(false);
  };
  if (canceled) return <Report canceled={canceled} close={() => close(true)} />;
  return (
    <Dialog title={`Cancel ${execution.id}?`} onClose={() => close(false)}>
      <form
        class="bare stack"
        onSubmit={(event) => {
          event.preventDefault();
          void begin();
        }}
      >
        <p class="muted">It is ended with all that is open below it. That cannot be undone, but it can be retried.</p>
        <div class="field">
          <label for="cancel-reason">Reason (optional)</label>
          <input id="cancel-reason" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </div>
        <Wrong error={error} />
        <div class="row end">
          <button type="button" onClick={() => close(false)}>
            Let it run
          </button>
          <button class="danger primary" disabled={isBusy}>
            {isBusy ? "Canceling …" : "Cancel it"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

const outcomes: Readonly<Record<string, { words: string; status: string }>> = {
  confirmed: { words: "stopped and said so", status: "SUCCESS" },
  ended: { words: "had ended by itself", status: "CANCELED" },
  ignored: { words: "did not stop and was given up; it may still be at work", status: "FAILED" },
  open: { words: "was not heard of yet", status: "WAITING" },
};

function Report({ canceled, close }: { canceled: Canceled; close: () => void }) {
  const { changed, report } = canceled;
  const children = report?.children ?? [];
  return (
    <Dialog title={changed ? "Canceled" : "It had ended already, or was being canceled"} onClose={close}>
      {report && (
        <p class="muted">
          {children.length === 0 ? "Nothing was open below it" : `${children.length} parts were open below it`}; all
          took {lengthOf(report.took_ms)}.
        </p>
      )}
      {children.length > 0 && (
        <div class="report wide">
          <table aria-label="Cancel report">
            <tbody>
              {children.map(({ exec_id, entity, id, outcome, took_ms }) => (
                <tr key={`${entity}/${exec_id}`}>
                  <td>
                    <span class="muted">{entity}</span> {id}
                  </td>
                  <td>
                    <span class="badge" data-status={outcomes[outcome]?.status}>
                      {outcomes[outcome]?.words ?? outcome}
                    </span>
                  </td>
                  <td class="right muted">{lengthOf(took_ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <div class="row end">
        <button type="button" class="primary" onClick={close}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
