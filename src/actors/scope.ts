// What the templates of a task see: the input of the run, the tasks before it, its item, and the error it deals with.
//
// Each lane of a container has a frame while it is under way. A name is looked up there first, and then further out:
//
//   the run ◀── each, item 3 ◀── parallel, branch "left"      tasks stand in the run or in the nearest item
//
// Invariants:
//   N1. The tasks of an item are seen within it and what it contains, and nowhere else.
//   N2. A frame is gone when its lane or container has ended, unless the run may have to undo what was done in it.
//   N3. An error is seen from where it leads until the next success of the same lane, also further in.
//   N4. Who begins anew, in a retry or a loop, finds its frames empty.
//   N5. What ends after its container changes nothing that others see.

import { taskExecution } from "../machines/task-execution.ts";
import type { TaskContext } from "../machines/task-memory.ts";
import { isFirst, isOpen, isUnderWay } from "../machines/plan.ts";
import { causeOf } from "../machines/retry.ts";
import { fromUnknown, toWire, TroupeError, type WireError } from "../protocol/errors.ts";
import type { Cue } from "../machines/cues.ts";
import { evaluate } from "../language/template.ts";
import type { Scope, Value } from "../language/spec.ts";
import { execIdIn, type Host } from "./component.ts";
import type { Frame, TaskFact } from "./run.ts";

/** The frame of the run itself. */
export const outermost = "";

// ── frames ──

const frameAt = ({ run: { facts } }: Host, key: string): Frame | undefined =>
  Object.hasOwn(facts.frames, key) ? facts.frames[key] : undefined;

/** In which frame a task stands. */
export const frameOf = ({ run: { facts } }: Host, execId: string): string =>
  Object.hasOwn(facts.frameOf, execId) ? (facts.frameOf[execId] ?? outermost) : outermost;

export const openFrame = (host: Host, key: string, frame: Frame): void => host.put(host.run.facts.frames, key, frame);

/** A task begins: it stands in this frame until it ends. */
export function standIn(host: Host, execId: string, key: string): void {
  if (key !== outermost) host.put(host.run.facts.frameOf, execId, key);
}

/** The container that a task reports to, if it is in one that is still there. */
function containerAt(host: Host, address: string): TaskContext | undefined {
  const actor = host.actor(address);
  return actor?.machine === taskExecution ? (actor.life.snapshot.context as TaskContext) : undefined;
}

/** The frame of a lane in which a task begins; the first task of a lane opens it. */
export function frameOfLane(host: Host, address: string, lane: number): string {
  const container = containerAt(host, address);
  if (!container) return outermost;
  const { task, graph, plan, taskType } = container;
  const key = `${task.exec_id}#${lane}`;
  if (!graph || !plan || (frameAt(host, key) && !isFirst(graph, plan, lane))) return key;
  const outer = frameOf(host, task.exec_id);
  const { items } = host.run.facts;
  const own = taskType === "each" ? { tasks: {}, item: items[task.exec_id]?.[lane], index: lane } : {};
  openFrame(host, key, { outer, ...own });
  return key;
}

/** From a frame outwards, the run itself not among them. */
function* outwards(host: Host, from: string): Generator<[key: string, frame: Frame]> {
  for (let key = from; key !== outermost;) {
    const frame = frameAt(host, key);
    if (!frame) return;
    yield [key, frame];
    key = frame.outer;
  }
}

/** The tasks among which one that stands in a frame is noted. */
function tasksFor(host: Host, from: string): Record<string, TaskFact> {
  for (const [, { tasks }] of outwards(host, from)) if (tasks) return tasks;
  return host.run.facts.tasks;
}

/** How often a task has ended where it stands: its limit is for all passes of a loop together. */
export function timesOf(host: Host, from: string, id: string): number {
  const tasks = tasksFor(host, from);
  return Object.hasOwn(tasks, id) ? (tasks[id]?.times ?? 0) : 0;
}

// ── what is noted ──

/** A task has ended: those after it see how, unless its container has ended before. */
export function noteEnd(host: Host, ended: Cue<"cue:TaskEnded">, parent: string | null): void {
  const { task, lane, status, result } = ended;
  const container = parent === null ? undefined : containerAt(host, parent);
  const isInContainer = parent?.startsWith("task/") === true;
  if (isInContainer && !(container?.graph && container.plan)) return;
  if (container?.graph && container.plan && !isOpen(container.graph, container.plan, lane, task)) return;
  const key = frameOf(host, task.exec_id);
  const outcome = result === null ? {} : "output" in result ? { output: result.output } : { error: result.error };
  const times = timesOf(host, key, task.id) + 1;
  host.put(tasksFor(host, key), task.id, { status, exec_id: task.exec_id, ...outcome, times });
  if (status === "CANCELED") return;
  const error = result && "error" in result ? errorFor(result.error, task, ended.attempt ?? 1) : undefined;
  const frame = frameAt(host, key);
  if (!frame) {
    if (host.run.facts.error !== error) host.note("error", error);
  } else if (frame.error !== error) {
    const { error: _before, ...rest } = frame;
    openFrame(host, key, error === undefined ? rest : { ...rest, error });
  }
}

/** A failure as those who deal with it see it. */
export const errorFor = (error: WireError, task: { id: string }, attempt: number): object => ({
  code: error.code,
  cause_code: causeOf(error) ?? null,
  message: error.message,
  details: error.details ?? {},
  task: task.id,
  attempt,
});

/** A task has ended and its container has heard of it: what nobody can see any more goes. */
export function dropFrames(
  host: Host,
  { id, exec_id }: { id: string; exec_id: string },
  lane: number,
  parent: string | null,
): void {
  const { facts } = host.run;
  const key = frameOf(host, exec_id);
  if (key !== outermost) host.put(facts.frameOf, exec_id, undefined);
  if (Object.hasOwn(facts.items, exec_id)) host.put(facts.items, exec_id, undefined);
  const workflow = facts.definition && host.world.definitions.byHash(facts.definition.hash);
  if (workflow?.undoes) return;
  if (workflow?.tasks.get(id)?.graph) {
    for (const own of Object.keys(facts.frames)) {
      if (own.startsWith(`${exec_id}#`)) host.put(facts.frames, own, undefined);
    }
  }
  if (key === outermost || parent === null) return;
  const container = containerAt(host, parent);
  const goesOn = container?.graph && container.plan && isUnderWay(container.graph, container.plan, lane);
  if (!goesOn && key.startsWith(`${execIdIn(parent)}#`)) host.put(facts.frames, key, undefined);
}

// ── what is seen ──

export function scopeIn(host: Host, from: string, extra: Partial<Scope> = {}): Scope {
  const { facts, id, correlationId } = host.run;
  let { tasks, error } = facts as { tasks: Record<string, TaskFact>; error: unknown };
  let item: { item: unknown; index: number } | undefined;
  for (const [, frame] of [...outwards(host, from)].reverse()) {
    if (frame.tasks) tasks = { ...tasks, ...frame.tasks };
    if (frame.error !== undefined) error = frame.error;
    if (frame.index !== undefined) item = { item: frame.item, index: frame.index };
  }
  const parent = facts.order?.payload.context.parent_exec_id;
  return {
    input: facts.input,
    tasks,
    ...item,
    ...(error !== undefined && { error }),
    workflow: {
      id: facts.definition?.id ?? "",
      exec_id: id,
      correlation_id: correlationId,
      started_at: new Date(facts.startedAt).toISOString(),
      resume_data: facts.resumeData,
      ...(parent !== undefined && { parent_exec_id: parent }),
    },
    now: host.at,
    ...extra,
  };
}

export type Worked = { value: unknown } | { error: WireError };

/** What a template gives where it stands; a function is asked once, and a replay is given its answer. */
export function worked(
  host: Host,
  value: Value | undefined,
  from: string,
  where: string,
  extra: Partial<Scope> = {},
): Worked {
  if (value === undefined) return { value: {} };
  const isAsked = !isPure(value);
  const work = (): Worked => {
    try {
      const scope = scopeIn(host, from, extra);
      // What a function sees is frozen, and tasks are noted in place.
      const given = evaluate(value, isAsked ? { ...scope, tasks: { ...scope.tasks } } : scope, where);
      checkSize(given, host.world.limits.payloadBytes);
      return { value: given };
    } catch (thrown) {
      return { error: toWire(fromUnknown(thrown)) };
    }
  };
  return isAsked ? host.ask(work) : work();
}

/** The parts of a template fit into a message each, and may not together. */
function checkSize(value: unknown, max: number): void {
  const text = JSON.stringify(value) ?? "";
  const bytes = text.length > max ? text.length : Buffer.byteLength(text);
  if (bytes <= max) return;
  const details = { limit: "payloadBytes", max, bytes };
  throw new TroupeError("PAYLOAD_TOO_LARGE", `a template gives ${bytes} bytes, at most ${max} are allowed`, details);
}

/** Asked for each task: what a definition holds does not change, and is looked through once. */
const purity = new WeakMap<object, boolean>();
function isPure(value: Value | undefined): boolean {
  if (typeof value === "function") return false;
  if (typeof value !== "object" || value === null) return true;
  const known = purity.get(value);
  if (known !== undefined) return known;
  const found = Object.values(value).every((inner) => isPure(inner as Value));
  purity.set(value, found);
  return found;
}
