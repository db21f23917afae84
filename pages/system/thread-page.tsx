// One conversation: what was asked, what was answered, and the run behind each turn.

import { useState } from "preact/hooks";
import type { Answer } from "../../src/gateway/client.ts";
import { client } from "../connection.ts";
import type { PageProps } from "../pages.tsx";
import { AskDialog } from "../actions/steer-dialogs.tsx";
import { useAsked } from "../parts/asked.ts";
import { Badge } from "../parts/badge.tsx";
import { Json } from "../parts/json.tsx";
import { Empty, Wrong } from "../parts/said.tsx";
import { Time, Took } from "../parts/time.tsx";
import { go } from "../router.ts";

type Turn = Answer<"getThread">["turns"][number];
const lookEveryMs = 2_000;

export function ThreadPage({ params }: PageProps) {
  const thread_id = params["thread_id"] ?? "";
  const asked = useAsked(() => client.getThread({ thread_id }), [thread_id], lookEveryMs);
  const [isAsked, setAsked] = useState(false);
  const thread = asked.value;
  return (
    <>
      <div class="page-head">
        <h1>{thread_id}</h1>
        {thread && (
          <button type="button" class="danger" onClick={() => setAsked(true)}>
            Forget
          </button>
        )}
        {thread && (
          <p class="sub">
            with {thread.agent_id ?? "an agent"}, {thread.status}, begun <Time at={thread.created_at} />
          </p>
        )}
      </div>
      <Wrong error={asked.error} />
      {thread?.turns.length === 0 && (
        <section class="panel">
          <Empty title="Nothing was said yet" />
        </section>
      )}
      <ol class="turns">
        {(thread?.turns ?? []).map((turn) => (
          <TurnView key={turn.run_id} turn={turn} />
        ))}
      </ol>
      {isAsked && (
        <AskDialog
          title="Forget this conversation?"
          verb="Forget"
          close={(isDone) => {
            setAsked(false);
            if (isDone) go("/threads");
          }}
          work={() => client.deleteThread({ thread_id })}
        >
          <p class="muted">Its turns are forgotten; the executions behind them are kept as long as any.</p>
        </AskDialog>
      )}
    </>
  );
}

function TurnView({ turn }: { turn: Turn }) {
  return (
    <li class="panel">
      <div class="said">
        <Said value={turn.request} />
      </div>
      <div class="answered">
        {turn.error !== null && turn.error !== undefined ? (
          <Said value={turn.error} isWrong />
        ) : (
          <Said value={turn.result} />
        )}
        <div class="row muted small">
          <Badge status={turn.status} />
          <Time at={turn.at} />
          <Took from={turn.at} to={turn.ended_at} />
          <a href={`/executions/${turn.run_id}`}>its run</a>
        </div>
      </div>
    </li>
  );
}

/** Mostly a text, or an object whose one text is what counts. */
function textIn(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return undefined;
  const { text, content, user_request, message, output } = value as Record<string, unknown>;
  const found = text ?? content ?? user_request ?? message;
  return typeof found === "string" ? found : output === undefined ? undefined : textIn(output);
}

function Said({ value, isWrong = false }: { value: unknown; isWrong?: boolean }) {
  const text = textIn(value);
  if (text !== undefined) return <p class={isWrong ? "wrong" : "text"}>{text}</p>;
  return value === null || value === undefined ? <p class="muted">…</p> : <Json value={value} />;
}
