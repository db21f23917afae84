// The line the scrubber is at: the whole envelope, and what differs from the line before of the same execution.

import { CopyButton } from "../parts/copy.tsx";
import { Json } from "../parts/json.tsx";
import { differences } from "./difference.ts";
import { kindOf, nameOf, subjectOf } from "./journal.ts";
import { beforeOf } from "./log-filter.ts";
import type { Model } from "./model.ts";

export function EventView({ model }: { model: Model }) {
  const { at } = model.scrub.value;
  const { lines } = model.story;
  const line = lines[at - 1];
  if (!line) return <p class="muted">Before the first line.</p>;
  const subject = subjectOf(line);
  const before = beforeOf(lines, at - 1, (one) => `${subjectOf(one)?.named.exec_id ?? ""} ${kindOf(one)}`);
  const old = before === undefined ? undefined : lines[before];
  const changes = old ? differences(old.envelope.payload ?? {}, line.envelope.payload ?? {}) : [];
  return (
    <div class="execution-details stack">
      <div class="row">
        <span class="execution-kind" data-kind={kindOf(line)}>
          {kindOf(line)}
        </span>
        <h2 class="grow clip">{nameOf(line)}</h2>
        <CopyButton text={JSON.stringify(line, null, 2)} label="Copy the line" />
      </div>
      <dl class="facts small">
        <dt>line</dt>
        <dd>
          {line.line}
          {line.disposition !== "applied" && <em class="wrong"> {line.disposition}</em>}
        </dd>
        <dt>about</dt>
        <dd>{subject ? `${subject.entity} ${subject.named.id}` : "–"}</dd>
        <dt>said by</dt>
        <dd>{line.envelope.metadata["source_component"]}</dd>
        <dt>at</dt>
        <dd>
          <code>{line.envelope.metadata["event_timestamp"]}</code>
        </dd>
      </dl>
      {old && (
        <section>
          <h3>
            Since{" "}
            <button
              type="button"
              class="quiet small link"
              onClick={() => model.move({ type: "to", at: (before ?? 0) + 1 })}
            >
              {nameOf(old)}
            </button>
          </h3>
          {changes.length === 0 ? (
            <p class="muted small">the payload is the same</p>
          ) : (
            <ul class="execution-changes">
              {changes.slice(0, 40).map(({ path, kind, before: was, after: is }) => (
                <li key={path} data-change={kind}>
                  <code>{path === "" ? "payload" : path}</code>
                  {kind !== "added" && <del>{short(was)}</del>}
                  {kind !== "removed" && <ins>{short(is)}</ins>}
                </li>
              ))}
            </ul>
          )}
        </section>
      )}
      <section>
        <h3>Envelope</h3>
        <Json value={line.envelope} />
      </section>
    </div>
  );
}

const short = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "";
  return text.length > 90 ? `${text.slice(0, 89)}…` : text;
};
