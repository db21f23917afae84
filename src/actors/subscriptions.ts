// What each component hears over a transport, in one table: patterns, queue groups, and who refuses the unknown.
//
//   hears ∩ `to` of the catalogue ──▶ a pattern for each key
//   owner of an entity            ──▶ the whole of its commands, and it refuses what is unknown there
//   whoever asks                  ──▶ the answers, without a group: only the asker can use them
//
// Invariants:
//   U1. Whatever a component hears and is sent by the catalogue has a pattern, whichever components are with it.
//   U2. A subject that nobody knows is refused by one component of the protocol: the owner of its entity.
//   U3. Nobody hears all of the commands, so that unknown roots and entities still have no responder.
//   U4. The order of a tool that is declared remote is taken by whoever serves it, and by nobody here.

import { entryOf, isKey, kindOf, type Key } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Entity } from "../protocol/statuses.ts";
import type { SubjectCodec } from "../protocol/subjects.ts";
import { isElsewhere, type ToolDefinition } from "../tools/tool.ts";
import type { Component } from "./component.ts";

export type Listening = {
  code: Code;
  pattern: string;
  /** Only one process of these hears it. */
  group?: string;
  takes(key: Key, tool?: string): boolean;
  /** What of the bytes that are no message it refuses: the others leave that to the owner. */
  refuses: "all" | "bodies" | "nothing";
};

/** Owners hear the commands of a whole entity, and leave alone what others hear of it. */
const owned: { readonly [code in Code]?: Entity } = { WO: "workflow", TE: "task", AD: "agent", XE: "tool" };

/** Whose answers a component waits for. */
const answers: { readonly [code in Code]?: readonly Entity[] } = {
  TD: ["task"],
  TE: ["agent", "tool", "workflow"],
  AD: ["agent_runtime"],
};

/** Heard by every process: whoever holds the execution acts. */
const cancels: ReadonlySet<string> = new Set(["TE command:TaskCancel", "XE command:ToolCancel"]);

/** The group that a component hears a key in; none if each has to hear it. */
function groupOf({ code, group }: Component, key: Key): string | undefined {
  if (code === "AR" || kindOf(key) === "result" || cancels.has(`${code} ${key}`)) return undefined;
  return code === "AD" && kindOf(key) !== "command" ? undefined : group;
}

/** Whether a component takes its share of a key among others of its group: what one took, no other may take. */
export const isShared = (component: Component, key: Key): boolean =>
  component.hears[key] !== undefined && groupOf(component, key) !== undefined;

export function subscriptionsOf(
  components: readonly Component[],
  subjects: SubjectCodec,
  runtimeId: string | null,
): Listening[] {
  const here = new Set(components.map(({ code }) => code));
  return components.flatMap((component) => [
    ...wholes(component, subjects, runtimeId),
    ...singles(component, subjects, here),
    ...awaited(component, subjects, here, runtimeId),
    // Who is asked who runs agents knows it without a dispatcher, too.
    ...(component.code === "WO" && !here.has("AD") ? [beats(subjects)] : []),
  ]);
}

const beats = (subjects: SubjectCodec): Listening => ({
  code: "WO",
  pattern: subjects.patternOf({ whole: "heartbeats" }),
  takes: () => true,
  refuses: "nothing",
});

function wholes({ code, group }: Component, subjects: SubjectCodec, runtimeId: string | null): Listening[] {
  const found: Listening[] = [];
  const entity = owned[code];
  if (entity) {
    const takes = (key: Key): boolean => entryOf(key).entity === entity && !isForOthers(code, key);
    const pattern = subjects.patternOf({ whole: "commands", entity });
    found.push({ code, pattern, group, takes, refuses: "all" });
  }
  if (code === "AR" && runtimeId !== null) {
    const pattern = subjects.patternOf({ whole: "commands", entity: "agent_runtime", runtimeId });
    found.push({ code, pattern, takes: () => true, refuses: "all" });
  }
  if (code === "WO") {
    // The state manager lives with the orchestrator: what the one records, the other hears.
    found.push({
      code,
      pattern: subjects.patternOf({ whole: "events" }),
      group: "state-manager",
      takes: () => true,
      refuses: "all",
    });
    for (const entity of ["agent", "tool"] as const) {
      const pattern = subjects.patternOf({ whole: "progress", entity });
      found.push({ code, pattern, takes: () => true, refuses: "all" });
    }
  }
  return found;
}

/** The owner of tasks runs attempts; what begins and ends them is for the orchestrator. */
const isForOthers = (code: Code, key: Key): boolean =>
  !entryOf(key).to.includes(code) || (code === "TE" && entryOf(key).delivery === "stored");

function singles(component: Component, subjects: SubjectCodec, here: ReadonlySet<Code>): Listening[] {
  const { code } = component;
  return keysOf(component).flatMap((key) => {
    const kind = kindOf(key);
    const { entity, to } = entryOf(key);
    if (kind === "result" || !to.includes(code) || code === "AR") return [];
    // With the orchestrator comes every event, and every cancel of a task.
    if (here.has("WO") && (kind === "event" || (code === "TE" && key === "command:TaskCancel"))) return [];
    const isCancel = cancels.has(`${code} ${key}`);
    if (kind === "command" && entity === owned[code] && !isCancel) return [];
    const group = groupOf(component, key);
    const refuses = isCancel || kind === "event" ? "nothing" : "bodies";
    const pattern = subjects.patternOf({ key } as Parameters<SubjectCodec["patternOf"]>[0]);
    return [{ code, pattern, ...(group !== undefined && { group }), takes: (one: Key) => one === key, refuses }];
  });
}

function awaited(
  { code }: Component,
  subjects: SubjectCodec,
  here: ReadonlySet<Code>,
  runtimeId: string | null,
): Listening[] {
  const found: Listening[] = (answers[code] ?? []).map((entity) => ({
    code,
    pattern: subjects.patternOf({ kind: "result", entity }),
    takes: () => true,
    refuses: "all",
  }));
  if (code !== "AR" || runtimeId === null) return found;
  if (!here.has("TE")) found.push({ code, pattern: `_INBOX_${runtimeId}.*`, takes: () => true, refuses: "all" });
  // A dispatcher that does not know it says so, and it registers again.
  if (!here.has("WO")) {
    const key = "event:AgentRuntimeDeregistered" as const;
    const pattern = subjects.patternOf({ key, params: { rt: runtimeId } });
    found.push({ code, pattern, takes: () => true, refuses: "nothing" });
  }
  return found;
}

/** Of tools that are unknown, or none of this process: who serves them is in another group. */
const toolOwners = "tool-owner";

/**
 * Where tools of other processes are declared, their orders are theirs. Each own tool has a pattern of its own then,
 * in the group that all who serve it share; the whole is heard for what is unknown.
 */
export function besideRemoteTools(
  all: readonly Listening[],
  subjects: SubjectCodec,
  tools: ReadonlyMap<string, Pick<ToolDefinition, "kind">>,
): readonly Listening[] {
  if (![...tools.values()].some(isElsewhere)) return all;
  const key = "command:ToolExecute" as const;
  const own = [...tools].filter(([, tool]) => !isElsewhere(tool)).map(([id]) => id);
  return all.flatMap((one): Listening[] => {
    if (one.code !== "XE" || one.refuses !== "all" || !one.takes(key)) return [one];
    const takes = (word: Key, tool = ""): boolean => one.takes(word) && (word !== key || !tools.has(tool));
    const single = { code: one.code, group: one.group, takes: (word: Key) => word === key, refuses: "bodies" } as const;
    const each = own.map((tool) => ({ ...single, pattern: subjects.patternOf({ key, params: { tool } }) }));
    return [{ ...one, group: toolOwners, takes }, ...(each as Listening[])];
  });
}

export const keysOf = ({ hears }: Component): Key[] => Object.keys(hears).filter(isKey);
