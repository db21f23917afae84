// What a page asks of the daemon: asked when it is shown, again when told, and again after a connection came back.

import { useEffect, useRef, useState } from "preact/hooks";
import { returned } from "../connection.ts";

export type Asked<T> = {
  /** The last answer: it stays while the next one is awaited. */
  readonly value: T | undefined;
  readonly error: unknown;
  readonly isPending: boolean;
  readonly again: () => void;
};

export function useAsked<T>(ask: () => Promise<T>, about: readonly unknown[], everyMs?: number): Asked<T> {
  const [state, setState] = useState<{ value: T | undefined; error: unknown; isPending: boolean }>({
    value: undefined,
    error: undefined,
    isPending: true,
  });
  const [turn, setTurn] = useState(0);
  const key = JSON.stringify(about);
  const asking = useRef(ask);
  asking.current = ask;
  const asked = useRef(key);
  const times = returned.value;
  useEffect(() => {
    let isLeft = false;
    // The answer about something else is no answer.
    const isOther = asked.current !== key;
    asked.current = key;
    setState((last) => ({ ...last, value: isOther ? undefined : last.value, isPending: true }));
    asking.current().then(
      (value) => {
        if (!isLeft) setState({ value, error: undefined, isPending: false });
      },
      (error: unknown) => {
        if (!isLeft) setState((last) => ({ ...last, error, isPending: false }));
      },
    );
    return () => {
      isLeft = true;
    };
  }, [key, turn, times]);
  useEffect(() => {
    if (everyMs === undefined) return undefined;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") setTurn((last) => last + 1);
    }, everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return { ...state, again: () => setTurn((last) => last + 1) };
}
