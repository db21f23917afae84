// A drawing that can be moved and zoomed: by mouse, wheel, two fingers and keys.

import type { RefObject } from "preact";
import { type Dispatch, type StateUpdater, useEffect, useMemo, useRef, useState } from "preact/hooks";

type View = { scale: number; x: number; y: number };
type Shape = { width: number; height: number };

const scaleMin = 0.05;
const scaleMax = 3;
/** A small chart is not blown up beyond this. */
const fitMax = 1.15;
const margin = 18;
/** Kept free for the tools above and the tally below. */
const head = 12;
const foot = 34;

/** Below this nobody can read what is written; and below that one cannot even see what there is. */
const readable = 0.46;
const visible = 0.3;
const closer = 0.75;

type Place = Shape & { x: number; y: number };

function wholeOf(drawing: Shape, shape: Shape): View {
  const room = { width: shape.width - 2 * margin, height: shape.height - head - foot };
  const scale = Math.min(fitMax, room.width / drawing.width, room.height / drawing.height);
  const x = (shape.width - drawing.width * scale) / 2;
  return { scale, x, y: head + (room.height - drawing.height * scale) / 2 };
}

export function useCanvas(frame: RefObject<HTMLElement | null>) {
  const [view, setView] = useState<View>({ scale: 1, x: 0, y: 0 });
  const [shape, setShape] = useState<Shape | undefined>(undefined);
  /** Who moved it himself is not moved again, unless asked for. */
  const isOwn = useRef(false);
  useEffect(() => {
    const element = frame.current;
    if (!element) return undefined;
    const size = new ResizeObserver(([entry]) => {
      const { width = 0, height = 0 } = entry?.contentRect ?? {};
      if (width > 0 && height > 0) setShape({ width, height });
    });
    size.observe(element);
    const wheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      zoomAt(Math.exp(-event.deltaY / 240), event.clientX - box.left, event.clientY - box.top);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => {
      size.disconnect();
      element.removeEventListener("wheel", wheel);
    };
  }, []);

  function zoomAt(factor: number, x: number, y: number): void {
    isOwn.current = true;
    setView((old) => {
      const scale = Math.min(scaleMax, Math.max(scaleMin, old.scale * factor));
      const by = scale / old.scale;
      return { scale, x: x - (x - old.x) * by, y: y - (y - old.y) * by };
    });
  }

  const { handlers, isDragged } = useDrag(setView, isOwn);

  return {
    shape,
    isDragged,
    handlers,
    transform: `translate(${view.x.toFixed(1)} ${view.y.toFixed(1)}) scale(${view.scale.toFixed(4)})`,
    zoom(factor: number): void {
      if (shape) zoomAt(factor, shape.width / 2, shape.height / 2);
    },
    /** All of it, if that can be read; else the place where something happens. Who moved it himself is left alone. */
    show(drawing: Shape, focus: Place | undefined, isActive: boolean): void {
      if (!shape || isOwn.current) return;
      const whole = wholeOf(drawing, shape);
      if (whole.scale >= (isActive ? readable : visible) || !focus) {
        setView(whole);
        return;
      }
      const held = (from: number, length: number, room: number): number => {
        const wanted = room / 2 - from * closer;
        return Math.min(margin, Math.max(room - length * closer - margin, wanted));
      };
      setView({
        scale: closer,
        x: held(focus.x + focus.width / 2, drawing.width, shape.width),
        y: held(focus.y + focus.height / 2, drawing.height, shape.height - foot),
      });
    },
    fit(drawing: Shape): void {
      if (!shape) return;
      // Whoever wants to see all of it wants it to stay so.
      isOwn.current = true;
      setView(wholeOf(drawing, shape));
    },
  };
}

/** Moves the view with the pointer that is held down. */
function useDrag(setView: Dispatch<StateUpdater<View>>, isOwn: { current: boolean }) {
  const [isDragged, setDragged] = useState(false);
  const drag = useRef<{ x: number; y: number; view: View } | undefined>(undefined);
  const handlers = useMemo(
    () => ({
      onPointerDown: (event: PointerEvent) => {
        if (event.button !== 0) return;
        setView((now) => {
          drag.current = { x: event.clientX, y: event.clientY, view: now };
          return now;
        });
      },
      onPointerMove: (event: PointerEvent) => {
        const from = drag.current;
        if (!from || event.buttons === 0) return;
        const [byX, byY] = [event.clientX - from.x, event.clientY - from.y];
        if (Math.hypot(byX, byY) < 4) return;
        isOwn.current = true;
        setDragged(true);
        setView({ ...from.view, x: from.view.x + byX, y: from.view.y + byY });
      },
      onPointerUp: () => {
        drag.current = undefined;
        // The click that ends a drag is none.
        setTimeout(() => setDragged(false), 0);
      },
      onPointerLeave: () => {
        drag.current = undefined;
        setDragged(false);
      },
    }),
    [],
  );
  return { handlers, isDragged };
}
