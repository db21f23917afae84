// What is known of the execution that is looked at: input, output, error, attempts, whence it came and whither it led.

import type { ComponentChildren } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import { errorRow, isErrorCode } from "../../src/protocol/errors.ts";
import { remedyFor } from "../../src/protocol/remedies.ts";
import { waitText } from "../../src/protocol/waiting.ts";
import { Actions } from "../actions/actions.tsx";
import { Badge } from "../parts/badge.tsx";
import { CopyButton } from "../parts/copy.tsx";
import { Json } from "../parts/json.tsx";
import { Spoken } from "../parts/said.tsx";
import { lengthOf, Time } from "../parts/time.tsx";
import { commandsOf } from "./as-command.ts";
import { glyphOf, statusOf, wordOf } from "./glyphs.tsx";
import type { Execution, Payload } from "./journal.ts";
import { type Model, nowOf } from "./model.ts";
import { countBelow, isOver, type Life, type Move, standing } from "./story.ts";
import { durationText, rowOf } from "./timeline.ts";

type Props = {
  readonly model: Model;
  readonly wantRow: (execId: string) => void;
  /** Undefined where nothing can be done: what is shown is a file. */
  readonly onDone: (() => void) | undefined;
};

export function Details({ model, wantRow, onDone }: Props) {
  const life = model.chosenLife.value;
  const { at } = model.scrub.value;
  useEffect(() => {
    if (life) wantRow(life.execId);
  }, [life?.execId]);
  if (!life) return <p class="muted padded">Nothing was said yet.</p>;
  const row = model.rows.value.get(life.execId);
  const { input, output, error } = contentOf(model, life, at);
  const move = standing(life, at);
  const face = move?.face ?? "idle";
  const isRoot = life.parent === null;
  const timing = rowOf(life, at, nowOf(model));
  return (
    <div class="execution-details stack">
      <div class="row">
        <span class="execution-entity">{life.entity}</span>
        <h2 class="grow clip">{life.id}</h2>
        <Badge status={statusOf(face)} />
        {!isRoot && (
          <button
            type="button"
            class="quiet small"
            title="Look at the whole run"
            onClick={() => (model.chosen.value = null)}
          >
            ✕
          </button>
        )}
      </div>
      {error && <Failure error={error} />}
      {!isRoot && row && onDone && <Actions execution={row} onDone={onDone} tree={[row]} />}
      <dl class="facts small">
        <dt>id</dt>
        <dd class="row">
          <code class="clip grow">{life.execId}</code>
          <CopyButton text={life.execId} label="Copy the id" />
        </dd>
        {move && (
          <>
            <dt>began</dt>
            <dd>
              <Time at={life.moves[0]?.time} />
            </dd>
            <dt>{isOver(face) ? "took" : "so far"}</dt>
            <dd>{durationText(timing.until - timing.from)}</dd>
          </>
        )}
        <Place model={model} life={life} row={row} />
        {life.child && (
          <Fact name="runs">
            <a href={`/executions/${life.child.execId}`}>workflow {life.child.id}</a>
          </Fact>
        )}
        {row && <Story row={row} />}
      </dl>
      {life.entity !== "workflow" && <Attempts model={model} life={life} at={at} />}
      <Called model={model} life={life} at={at} />
      <Part name="Input" value={input} />
      <Part name="Output" value={output} />
      {row?.undo && <Undo undo={row.undo} />}
      {life.entity === "workflow" && input !== undefined && <Commands life={life} input={input} />}
    </div>
  );
}

const Fact = ({ name, children }: { name: string; children: ComponentChildren }) => (
  <>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </>
);

/** Whose part it is, and which. */
function Place({ model, life, row }: { model: Model; life: Life; row: Execution | undefined }) {
  const parent = life.parent === null ? undefined : model.story.lives.get(life.parent);
  return (
    <>
      {parent && (
        <Fact name="part of">
          <button type="button" class="quiet small link" onClick={() => (model.chosen.value = parent.key)}>
            {parent.entity} {parent.id}
          </button>
        </Fact>
      )}
      {!parent && row?.parent && (
        <Fact name="part of">
          <a href={`/executions/${row.parent}`}>the execution that began it</a>
        </Fact>
      )}
      {life.index !== undefined && <Fact name="element">{life.index}</Fact>}
      {life.branch !== undefined && <Fact name="branch">{life.branch}</Fact>}
    </>
  );
}

/** What is written on the row alone. */
function Story({ row }: { row: Execution }) {
  const { lineage, usage, labels, about, imported } = row;
  const waits = waitText(row, lengthOf);
  const named = Object.entries(labels ?? {});
  return (
    <>
      {lineage && (
        <Fact name={lineage.kind === "fork" ? "forked from" : "retry of"}>
          <a href={`/executions/${lineage.from_exec_id}`}>
            <code>{lineage.from_exec_id.slice(0, 13)}…</code>
          </a>{" "}
          at {lineage.from_task}
        </Fact>
      )}
      {named.length > 0 && (
        <Fact name="labels">
          <span class="row">
            {named.map(([name, value]) => (
              <span key={name} class="chip">
                {name}: {value}
              </span>
            ))}
          </span>
        </Fact>
      )}
      {usage && (
        <Fact name="used">
          {usage.tokens} tokens{usage.cost > 0 && `, ${usage.cost.toFixed(4)} cost`}
        </Fact>
      )}
      {about !== null && about !== undefined && (
        <Fact name="about">{waits ?? (typeof about === "string" ? about : <Json value={about} />)}</Fact>
      )}
      {imported && <Fact name="imported">brought here from elsewhere, only to be looked at</Fact>}
    </>
  );
}

type Content = { input?: unknown; output?: unknown; error?: { code?: string; message?: string } };

/** As far as it was said by then. */
function contentOf({ story }: Model, life: Life, at: number): Content {
  const content: Content = {};
  const said = countBelow(life.moves, at, (move) => move.at);
  for (const move of life.moves.slice(0, said)) {
    const payload = story.lines[move.at]?.envelope.payload as Payload | undefined;
    const input = payload?.context?.["input"];
    if (input !== undefined) content.input = input;
    const { output, error } = payload?.result ?? {};
    if (output !== undefined) content.output = output;
    if (error) content.error = error;
    else if (move.face === "success" || move.face === "retrying") delete content.error;
  }
  return content;
}

function Failure({ error: { code = "", message = "" } }: { error: NonNullable<Content["error"]> }) {
  const summary = isErrorCode(code) ? errorRow(code).summary : "a code of the agent or tool itself";
  const remedy = isErrorCode(code) ? remedyFor(code) : undefined;
  return (
    <div class="banner wrong-tone execution-failure" role="status">
      <code>{code}</code>
      <span class="grow">{message}</span>
      <span class="small execution-meaning">
        {summary}.{remedy !== undefined && <Spoken text={` What helps: ${remedy}.`} />} More:{" "}
        <code>docs/errors.md#{code.toLowerCase()}</code>
      </span>
    </div>
  );
}

/** Each attempt with how it went. */
function Attempts({ model, life, at }: { model: Model; life: Life; at: number }) {
  const { pieces } = rowOf(life, at, nowOf(model));
  const runs = pieces.filter(({ kind }) => kind === "run");
  if (runs.length < 2) return null;
  return (
    <section>
      <h3>Attempts</h3>
      <ol class="execution-attempts">
        {runs.map((piece) => (
          <li key={piece.from} class="execution-face" data-face={piece.face}>
            <svg viewBox="-9 -9 18 18" width="14" height="14" aria-hidden="true">
              {glyphOf(piece.face)}
            </svg>
            <span>{piece.attempt}</span>
            <span class="muted">{durationText(piece.until - piece.from)}</span>
            <span>{codeAt(life, piece.until) ?? wordOf(piece.face)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

const codeAt = (life: Life, time: number): string | undefined =>
  life.moves.find((move: Move) => move.time === time && move.code !== undefined)?.code;

const shownMax = 12;

/** What it contains or called. */
function Called({ model, life, at }: { model: Model; life: Life; at: number }) {
  const inner = model.story.order.filter(({ parent, moves }) => parent === life.key && (moves[0]?.at ?? at) < at);
  if (inner.length === 0) return null;
  return (
    <section>
      <h3>{life.entity === "task" && inner.every(({ entity }) => entity !== "task") ? "Called" : "Contains"}</h3>
      <ul class="execution-called">
        {inner.slice(0, shownMax).map((one) => (
          <li key={one.key}>
            <button type="button" class="quiet small" onClick={() => (model.chosen.value = one.key)}>
              <svg
                viewBox="-9 -9 18 18"
                width="14"
                height="14"
                class="execution-face"
                data-face={standing(one, at)?.face}
                aria-hidden="true"
              >
                {glyphOf(standing(one, at)?.face ?? "idle")}
              </svg>
              <span class="execution-entity">{one.entity}</span>
              <span class="clip">
                {one.id}
                {one.index !== undefined && ` [${one.index}]`}
                {one.branch !== undefined && ` (${one.branch})`}
              </span>
            </button>
          </li>
        ))}
        {inner.length > shownMax && <li class="muted small">and {inner.length - shownMax} more, in the timeline</li>}
      </ul>
    </section>
  );
}

function Part({ name, value }: { name: string; value: unknown }) {
  // A large value is drawn once, not at every line that the scrubber passes.
  const drawn = useMemo(() => <Json value={value} />, [value]);
  if (value === undefined) return null;
  return (
    <section>
      <h3>{name}</h3>
      {drawn}
    </section>
  );
}

function Undo({ undo: { done, failed, unlisted } }: { undo: NonNullable<Execution["undo"]> }) {
  return (
    <section>
      <h3>Undone</h3>
      <p class="small">
        {done} {done === 1 ? "task was" : "tasks were"} undone
        {failed.length === 0 ? "." : `, ${failed.length + (unlisted ?? 0)} could not be:`}
      </p>
      <ul class="small">
        {failed.map(({ task, code, message }) => (
          <li key={task}>
            <b>{task}</b>: <code>{code}</code> {message}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Commands({ life, input }: { life: Life; input: unknown }) {
  const { run, show, curl } = commandsOf(life, input, location.origin);
  return (
    <section>
      <h3>Again, elsewhere</h3>
      {Object.entries({ "as a command": run, "to look at it": show, "as curl": curl }).map(([name, text]) => (
        <div key={name} class="execution-command">
          <span class="muted small">{name}</span>
          <code class="clip" title={text}>
            {text}
          </code>
          <CopyButton text={text} label={`Copy ${name}`} />
        </div>
      ))}
    </section>
  );
}
