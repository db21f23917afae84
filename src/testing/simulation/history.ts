// What happened in a simulation, as lines for people: every message of the log, and who began what meanwhile.

import type { Evidence } from "./evidence.ts";

/** Execution ids are as short as they can be told apart. */
export function historyOf({ lines, begun, asked }: Evidence): string[] {
  const beganAt = Math.min(...lines.map(({ at }) => at), ...asked.map(({ at }) => at));
  const names = new Map<string, string>();
  const nameOf = (execId: string): string => {
    const known = names.get(execId) ?? `#${names.size + 1}`;
    names.set(execId, known);
    return known;
  };
  const time = (at: number): string => `${String(at - beganAt).padStart(7)} ms`;
  const said = lines.map(({ at, seq, type, disposition, envelope }) => {
    const { metadata, payload, ...sections } = envelope;
    const whom = Object.entries(sections).map(([entity, one]) => {
      const { id, exec_id } = Object(one) as { id?: string; exec_id?: string };
      return `${entity} ${id ?? ""}${exec_id === undefined ? "" : nameOf(exec_id)}`;
    });
    const { status, context } = Object(payload) as { status?: string; context?: { attempt?: number } };
    const attempt = context?.attempt === undefined ? "" : ` attempt ${context.attempt}`;
    const mark = disposition === "applied" ? "" : ` (${disposition})`;
    const what = `${metadata["source_component"]} ${type} ${status ?? ""}${attempt}${mark}`;
    return { at, order: seq, text: `${time(at)} ${String(seq).padStart(4)} ${what}  ${whom.join(", ")}` };
  });
  const acts = begun.map(({ at, seq, kind, execId, life }) => ({
    at,
    order: seq + 0.5,
    text: `${time(at)}      the handler of ${kind} ${nameOf(execId)} begins in life ${life}`,
  }));
  const requests = asked.map(({ at, what, execId, life, answer, isLost }) => {
    const came = answer ? ("code" in answer ? `${answer.code}: ${answer.message}` : "well") : isLost ? "lost" : "never";
    const after = answer ? ` after ${answer.at - at} ms` : "";
    const whom = execId === null ? "" : ` ${nameOf(execId)}`;
    return {
      at,
      order: 0,
      text: `${time(at)}      the client asks life ${life}: ${what}${whom}; answered ${came}${after}`,
    };
  });
  return [...said, ...acts, ...requests]
    .sort((one, other) => one.at - other.at || one.order - other.order)
    .map(({ text }) => text);
}
