// The page of one execution: its chart, the log to step through, and beside them all that is known of it.

import { useEffect, useMemo, useState } from "preact/hooks";
import { type Client, returned } from "../connection.ts";
import { Wrong } from "../parts/said.tsx";
import { follow, type Following } from "./following.ts";
import type { Execution } from "./journal.ts";
import { openModel } from "./model.ts";
import { RunView } from "./run-view.tsx";

export { FilePage } from "./file-page.tsx";

export function ExecutionPage({ execId, client }: { execId: string; client: Client }) {
  const [asked, setAsked] = useState<Execution | undefined>(undefined);
  const [error, setError] = useState<unknown>(undefined);
  const isBack = returned.value;
  useEffect(() => {
    let isOpen = true;
    client.getExecution({ exec_id: execId }).then(
      async (row) => {
        // A part of a run is looked at within its run.
        const run = row.run === row.exec_id ? row : await client.getExecution({ exec_id: row.run });
        if (isOpen) setAsked(run);
      },
      (reason: unknown) => isOpen && setError(reason),
    );
    return () => {
      isOpen = false;
    };
  }, [execId, asked ? 0 : isBack]);
  if (!asked || (asked.exec_id !== execId && asked.run !== asked.exec_id)) return <Opening error={error} />;
  return <Followed key={asked.exec_id} run={asked} execId={execId} client={client} />;
}

const Opening = ({ error }: { error: unknown }) =>
  error === undefined ? (
    <div class="waiting-line" role="status" aria-label="opening the execution" />
  ) : (
    <Wrong error={error} />
  );

function Followed({ run, execId, client }: { run: Execution; execId: string; client: Client }) {
  const model = useMemo(() => openModel(run.exec_id), [run.exec_id]);
  const [following, setFollowing] = useState<Following | undefined>(undefined);
  const isBack = returned.value;
  useEffect(() => {
    model.rows.value = new Map([[run.exec_id, run]]);
    const one = follow(client, run, model);
    setFollowing(one);
    return () => one.close();
  }, [model]);
  useEffect(() => {
    if (isBack > 0) following?.again();
  }, [isBack]);
  // Asked for a part of the run, that part is chosen as soon as it is known.
  const grown = model.grown.value;
  useEffect(() => {
    if (execId === run.exec_id || model.chosen.peek() !== null) return;
    const life = model.story.order.find((one) => one.execId === execId);
    if (life) model.chosen.value = life.key;
  }, [grown, execId]);
  return <RunView model={model} wantRow={(id) => following?.wantRow(id)} onDone={() => following?.again()} />;
}
