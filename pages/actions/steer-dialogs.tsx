// Pausing, resuming and signalling: a question, perhaps with a word to go along, and the answer of the daemon.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { client } from "../connection.ts";
import { Dialog } from "../parts/dialog.tsx";
import { JsonField } from "../parts/json-field.tsx";
import { Wrong } from "../parts/said.tsx";
import type { Execution } from "./actions.tsx";

type Close = (isDone: boolean) => void;
type AskProps = {
  readonly title: string;
  readonly verb: string;
  readonly isReady?: boolean;
  readonly close: Close;
  readonly work: () => Promise<unknown>;
  readonly children: ComponentChildren;
};

export function AskDialog({ title, verb, isReady = true, close, work, children }: AskProps) {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const begin = async (): Promise<void> => {
    setBusy(true);
    try {
      await work();
      close(true);
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={() => close(false)}>
      <form
        class="bare stack"
        onSubmit={(event) => {
          event.preventDefault();
          if (isReady) void begin();
        }}
      >
        {children}
        <Wrong error={error} />
        <div class="row end">
          <button type="button" onClick={() => close(false)}>
            Leave it
          </button>
          <button class="primary" disabled={isBusy || !isReady}>
            {verb}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

type SimpleProps = {
  readonly title: string;
  readonly says: string;
  readonly label?: string;
  readonly verb: string;
  readonly close: Close;
  readonly work: (reason: string) => Promise<unknown>;
};

export function SimpleDialog({ title, says, label, verb, close, work }: SimpleProps) {
  const [reason, setReason] = useState("");
  return (
    <AskDialog title={title} verb={verb} close={close} work={() => work(reason.trim())}>
      <p class="muted">{says}</p>
      {label !== undefined && (
        <div class="field">
          <label for="steer-reason">{label} (optional)</label>
          <input id="steer-reason" value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
        </div>
      )}
    </AskDialog>
  );
}

export function SignalDialog({ execution, close }: { execution: Execution; close: Close }) {
  const [name, setName] = useState("");
  const [payload, setPayload] = useState<{ value: unknown } | undefined>({ value: {} });
  const work = (): Promise<unknown> =>
    client.signalExecution({ exec_id: execution.exec_id, name: name.trim(), payload: payload?.value });
  return (
    <AskDialog title="Send a signal" verb="Send" isReady={name.trim() !== "" && !!payload} close={close} work={work}>
      <p class="muted">
        A wait for this signal ends with what is sent. If none waits now, it is kept for one that comes.
      </p>
      <div class="field">
        <label for="signal-name">Name</label>
        <input id="signal-name" value={name} onInput={(event) => setName(event.currentTarget.value)} />
      </div>
      <JsonField id="signal-payload" label="What goes along" text="{}" onChange={setPayload} />
    </AskDialog>
  );
}
