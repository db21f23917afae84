// Keys of the keyboard: each page says which it has, and `?` shows all of them.

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export type Key = { readonly key: string; readonly says: string; readonly does: () => void };

/** Newest last: what was said last is heard first. */
const groups = signal<readonly (() => readonly Key[])[]>([]);
export const isHelpOpen = signal(false);
export const keysNow = (): Key[] => groups.value.toReversed().flatMap((keys) => keys());

export function useKeys(keys: readonly Key[]): void {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const group = (): readonly Key[] => latest.current;
    groups.value = [...groups.peek(), group];
    return () => {
      groups.value = groups.peek().filter((one) => one !== group);
    };
  }, []);
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName));

export function watchKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "Escape" && isTyping(event.target)) (event.target as HTMLElement).blur();
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    // Enter and space belong to what has the focus. A button of a dialog that was just closed has it a moment longer.
    const control = event.target instanceof Element ? event.target.closest("a, button, summary") : null;
    if (control?.checkVisibility() === true && (event.key === "Enter" || event.key === " ")) return;
    const found = keysNow().find(({ key }) => key === event.key);
    if (!found) return;
    event.preventDefault();
    found.does();
  });
}
