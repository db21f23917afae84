// The messages between components, as lanes: who says what to whom, one row for each, the latest in sight.

import { VirtualList } from "../parts/virtual-list.tsx";
import type { Model } from "./model.ts";
import type { Said } from "./sequence.ts";
import { durationText } from "./timeline.ts";

const rowHeight = 30;
const laneWidth = 138;

export function SequenceView({ model }: { model: Model }) {
  const { at } = model.scrub.value;
  const { said, lanes } = model.sequence.value;
  const began = model.story.times[0] ?? 0;
  return (
    <div class="execution-sequence">
      <div class="execution-sequence-in" style={{ minWidth: `${lanes.length * laneWidth + 76}px` }}>
        <div class="execution-lanes" aria-hidden="true">
          <span class="execution-when muted small">when</span>
          <div class="execution-lane-names">
            {lanes.map((lane) => (
              <span key={lane}>
                <i>{lane.split(".")[0]}</i>
                {lane.split(".")[1]}
              </span>
            ))}
          </div>
        </div>
        <div class="execution-rows">
          <div class="execution-threads" aria-hidden="true">
            {lanes.map((lane, index) => (
              <span key={lane} style={{ left: `${((index + 0.5) / lanes.length) * 100}%` }} />
            ))}
          </div>
          <VirtualList
            count={said.length}
            rowHeight={rowHeight}
            selected={at - 1}
            label="Messages"
            row={(index) => {
              const one = said[index];
              if (!one) return null;
              const time = (model.story.times[index] ?? began) - began;
              return (
                <Message
                  key={index}
                  said={one}
                  lanes={lanes}
                  when={durationText(Math.max(0, time))}
                  state={index === at - 1 ? "now" : index < at ? "past" : "later"}
                  onClick={() => model.move({ type: "to", at: index + 1 })}
                />
              );
            }}
          />
        </div>
      </div>
    </div>
  );
}

type Props = {
  readonly said: Said;
  readonly lanes: readonly string[];
  readonly when: string;
  readonly state: "now" | "past" | "later";
  readonly onClick: () => void;
};

function Message({ said: { from, to, name, kind, about, disposition }, lanes, when, state, onClick }: Props) {
  const [start, end] = [lanes.indexOf(from), lanes.indexOf(to)];
  const centre = (lane: number): number => ((lane + 0.5) / lanes.length) * 100;
  const left = Math.min(centre(start), centre(end));
  const width = Math.abs(centre(end) - centre(start));
  const isOdd = disposition !== "applied";
  return (
    <div
      class="execution-message"
      role="row"
      tabIndex={0}
      data-kind={kind}
      data-state={state}
      data-odd={isOdd}
      onClick={onClick}
      onKeyDown={(event) => event.key === "Enter" && onClick()}
      aria-label={`${name} of ${about}, from ${from} to ${to}${isOdd ? `, ${disposition}` : ""}`}
    >
      <span class="execution-when mono muted">{when}</span>
      <div class="execution-message-lane">
        {start === end ? (
          <span class="execution-note" style={{ left: `${left}%` }} />
        ) : (
          <span
            class="execution-flight"
            data-way={end > start ? "right" : "left"}
            style={{ left: `${left}%`, width: `${width}%` }}
          />
        )}
        <span
          class="execution-message-name"
          style={{ left: `${start === end ? left : left + width / 2}%` }}
          data-note={start === end}
        >
          <b>{name}</b> <i>{about}</i>
          {isOdd && <em>{disposition}</em>}
        </span>
      </div>
    </div>
  );
}
