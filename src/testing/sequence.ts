// A conversation as Mermaid text (`sequenceDiagram`): who said what to whom, and how much time passed between.

import { catalogue, isKey, type Key, nameOf } from "../protocol/catalogue.ts";
import { type Component, components } from "../protocol/entry.ts";
import type { Line } from "./stage.ts";

type Told = { status?: string; result?: { error?: { code?: string } } | null };

/** The one it is meant for: a command's taker, a reply's asker; an event is for everyone, so for who records it. */
function receiverOf(key: Key, by: string, log: readonly Line[], index: number): string {
  const [first] = catalogue[key].to;
  if (first !== "issuer") return first;
  const asked = log.slice(0, index).findLast(({ word }) => {
    if (!isKey(word.type) || !word.type.startsWith("command:")) return false;
    return (catalogue[word.type].to as readonly string[]).includes(by);
  });
  return asked?.by ?? "API";
}

const inSeconds = (ms: number): string => (ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`);

export const messagesIn = (log: readonly Line[]): Line[] =>
  log.filter(({ word }) => isKey(word.type) && word.type !== "progress:AgentRuntimeHeartbeat");

export function sequenceOf(log: readonly Line[]): string {
  const lines = messagesIn(log);
  const arrows: string[] = [];
  const present = new Set<string>();
  let before = lines[0]?.at ?? 0;
  lines.forEach(({ at, by, word }, index) => {
    const key = word.type as Key;
    const to = receiverOf(key, by, lines, index);
    for (const component of [by, to]) present.add(component);
    if (at > before) arrows.push(`Note over ${by}: ${inSeconds(at - before)} pass`);
    before = at;
    const { status, result } = (word["payload"] ?? {}) as Told;
    const outcome = result?.error?.code ?? status;
    const arrow = catalogue[key].kind === "result" ? "-->>" : "->>";
    arrows.push(`${by}${arrow}${to}: ${nameOf(key)}${outcome === undefined ? "" : ` (${outcome})`}`);
  });
  const cast = (Object.keys(components) as Component[]).filter((component) => present.has(component));
  return [
    "sequenceDiagram",
    ...cast.map((component) => `  participant ${component} as ${components[component]}`),
    ...arrows.map((line) => `  ${line}`),
  ].join("\n");
}
