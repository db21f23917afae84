// A list of any length that draws only the rows in sight.
//
// Rows are of one height. The list is as high as all of its rows would be, and those in sight are moved to their place.
// A sheet of styles may make the part in sight no higher than `--whole`.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

type Props = {
  readonly count: number;
  readonly rowHeight: number;
  readonly row: (index: number) => ComponentChildren;
  /** Called when the last rows come in sight. */
  readonly onEnd?: () => void;
  /** The row that is kept in sight when it changes. */
  readonly selected?: number;
  readonly label: string;
};

/** Drawn beyond what is in sight, so that a quick hand sees no gap. */
const spare = 8;

export function VirtualList({ count, rowHeight, row, onEnd, selected, label }: Props) {
  const own = useRef<HTMLDivElement>(null);
  const [{ top, height }, setSight] = useState({ top: 0, height: 800 });
  const pending = useRef(0);

  useLayoutEffect(() => {
    const element = own.current;
    if (!element) return undefined;
    const look = (): void => {
      pending.current = 0;
      setSight({ top: element.scrollTop, height: element.clientHeight });
    };
    const soon = (): void => {
      pending.current ||= requestAnimationFrame(look);
    };
    const size = new ResizeObserver(soon);
    size.observe(element);
    element.addEventListener("scroll", soon, { passive: true });
    look();
    return () => {
      size.disconnect();
      element.removeEventListener("scroll", soon);
      cancelAnimationFrame(pending.current);
    };
  }, []);

  const first = Math.max(0, Math.floor(top / rowHeight) - spare);
  const last = Math.min(count, Math.ceil((top + height) / rowHeight) + spare);
  const isAtEnd = count > 0 && last >= count;
  useEffect(() => {
    if (isAtEnd) onEnd?.();
  }, [isAtEnd, count]);

  useEffect(() => {
    const element = own.current;
    if (!element || selected === undefined || selected < 0) return;
    const at = selected * rowHeight;
    if (at < element.scrollTop) element.scrollTop = at;
    else if (at + rowHeight > element.scrollTop + element.clientHeight) {
      element.scrollTop = at + rowHeight - element.clientHeight;
    }
  }, [selected]);

  const whole = `${count * rowHeight}px`;
  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index += 1) rows.push(row(index));
  return (
    <div class="sight" ref={own} role="rowgroup" aria-label={label} tabIndex={-1} style={{ "--whole": whole }}>
      <div class="whole" style={{ height: whole }}>
        <div class="in-sight" style={{ transform: `translateY(${first * rowHeight}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
