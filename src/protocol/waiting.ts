// What an open execution waits for, in few words for its row: a workflow runs on while one of its tasks waits.

type Wait = { approval?: string; signal?: string; duration_ms?: number; until?: number };
type Row = { readonly run: string; readonly status: string; readonly about?: unknown };
type About = { wait?: Wait; reason?: unknown } | null;

/** Those that wait, by their run: given newest first, of several in one run the newest stays. */
export const byRun = <T extends Row>(tasks: readonly T[]): ReadonlyMap<string, T> =>
  new Map(tasks.map((task) => [task.run, task] as const).toReversed());

/** `task`: the one that waits in it; `lengthOf`: how long something is, as it is said there. */
export function waitText({ status, about }: Row, lengthOf: (ms: number) => string, task?: Row): string | undefined {
  const { reason, wait } = (about as About) ?? {};
  if (status === "PAUSED") return typeof reason === "string" && reason !== "" ? reason : undefined;
  const waiting = status === "WAITING" ? wait : status === "RUNNING" ? (task?.about as About)?.wait : undefined;
  if (!waiting) return undefined;
  const { approval, signal, duration_ms: ms, until } = waiting;
  if (approval !== undefined) return `waits for approval: ${approval}`;
  if (signal !== undefined) return `waits for signal ${signal}`;
  if (ms !== undefined) return `waits ${lengthOf(ms)}`;
  return until === undefined ? "waits" : `waits until ${new Date(until).toISOString()}`;
}
