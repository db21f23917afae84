// Definitions that came by themselves and not in a file: kept in the store, and there again after a restart.
//
//   put ─▶ defined like any other ─▶ note ─ on disk ─▶ answer
//   restart ─▶ notes ─▶ defined, before anything of theirs goes on
//
// Invariants:
//   SD1. What was put is defined after a restart too, until it is taken away.
//   SD2. What a file or the program defines is changed there and nowhere else; it wins over what is stored.
//   SD3. Nothing is taken away that a run or a workflow needs.

import { type Workflow } from "../actors/definition.ts";
import type { Definition, Kind } from "./defined.ts";
import { unknownDefinition } from "./defined.ts";
import { type ErrorCode, fromUnknown, TroupeError } from "../protocol/errors.ts";
import { isDefinitionId } from "../protocol/ids.ts";
import { clip } from "../protocol/refusal.ts";
import { isTerminal, statuses } from "../protocol/statuses.ts";
import type { Store } from "../store/store.ts";
import { checkArgument, object, oneOf, text } from "./arguments.ts";
import { checkedContent } from "./content.ts";
import type { Gone, openDefinitions } from "./definitions.ts";
import type { Definitions, Options } from "./options.ts";
import { foreignModule } from "./own-module.ts";

/** What can be put by itself: a task is a part of its workflow. */
export type Puttable = Exclude<Kind, "task">;

type Means = {
  store: Store;
  definitions: ReturnType<typeof openDefinitions>;
  define: (more: Definitions, gone?: Gone) => Promise<void>;
  limits: { payloadBytes: number };
  /** Where a definition is from, if it is not stored. */
  homeOf: (kind: Puttable, id: string) => "file" | "code";
};

const puttable = oneOf(["workflow", "agent", "tool"]);
const listNote = "stored_definitions";
const noteOf = (name: string): string => `stored/${name}`;
const storedMax = 10_000;
const order: readonly Puttable[] = ["tool", "agent", "workflow"];
const codes = { workflow: "WORKFLOW_NOT_FOUND", agent: "AGENT_NOT_FOUND", tool: "TOOL_NOT_FOUND" } as const;

const inList = (kind: Puttable, spec: unknown): Definitions => ({ [`${kind}s`]: [spec] });

const names = (store: Store): string[] => JSON.parse(store.note(listNote) ?? "[]") as string[];

/** Defines what is stored, beside what is defined already; what cannot be is said, and stays stored. */
export async function restore(
  store: Store,
  { workflows, agents, tools }: Pick<Means["definitions"], "workflows" | "agents" | "tools">,
  add: (more: Definitions) => Promise<void>,
  report: NonNullable<Options["log"]>,
): Promise<void> {
  const known = { workflow: workflows, agent: agents, tool: tools };
  const sorted = names(store).toSorted((a, b) => order.indexOf(kindIn(a)) - order.indexOf(kindIn(b)));
  for (const name of sorted) {
    const [kind, id] = [kindIn(name), idIn(name)];
    if (known[kind].has(id)) {
      report("warn", "a stored definition is not used: there is one of its id in a file or in the program", {
        kind,
        id,
      });
      continue;
    }
    try {
      await add(inList(kind, JSON.parse(store.note(noteOf(name)) ?? "null")));
    } catch (error) {
      report("error", "a stored definition cannot be used", { kind, id, reason: fromUnknown(error).message });
    }
  }
}

const kindIn = (name: string): Puttable => name.slice(0, name.indexOf("/")) as Puttable;
const idIn = (name: string): string => name.slice(name.indexOf("/") + 1);

export function openStored({ store, definitions, define, limits, homeOf }: Means) {
  const { workflows, agents, tools } = definitions;
  const maps = { workflow: workflows, agent: agents, tool: tools };
  const stored = new Set(names(store));
  /** One after the other: what is checked is so until it is done. */
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(act: () => Promise<T>): Promise<T> => {
    const done = last.then(act);
    // Whoever asked is told by what is returned; the next only waits for its turn.
    last = done.catch(() => undefined);
    return done;
  };
  const isStored = (kind: Puttable, id: string): boolean => stored.has(`${kind}/${id}`) && homeOf(kind, id) !== "file";

  function refuseOthers(kind: Puttable, id: string): void {
    if (!maps[kind].has(id) || isStored(kind, id)) return;
    const origin = homeOf(kind, id);
    const where =
      origin === "file" ? "it is read from a file: change it there" : "the program defines it: change it there";
    throw new TroupeError("INVALID_STATE", `${kind} '${id}' cannot be changed here: ${where}`, {
      status: origin,
      [kind]: id,
    });
  }

  async function refuseNeeded(kind: Puttable, id: string): Promise<void> {
    const status = statuses[kind].filter((one) => !isTerminal(one));
    const { rows } = await store.find({ entity: kind, id, status, limit: 1 });
    const [open] = rows;
    if (open) {
      const message = `${kind} '${id}' has active runs, '${open.execId}' for one`;
      throw new TroupeError("DEFINITION_IN_USE", message, { [kind]: id, exec_id: open.execId });
    }
    const users = [...workflows.values()].filter((one) => one.id !== id && calls(one, kind, id)).map((one) => one.id);
    if (users.length === 0) return;
    const message = `${kind} '${id}' is called by workflow ${users.map((one) => `'${one}'`).join(", ")}`;
    throw new TroupeError("DEFINITION_IN_USE", message, { [kind]: id, workflows: users });
  }

  return {
    isStored,
    /** Defines it, or replaces it for runs that begin from now on; true if it is new. */
    putDefinition: (kind: Puttable, id: string, given: Definition): Promise<boolean> =>
      inTurn(async () => {
        checkArgument("kind", kind, puttable);
        checkArgument("id", id, text);
        checkArgument("definition", given, object);
        const spec = checkedSpec(kind, id, given, limits.payloadBytes);
        refuseOthers(kind, id);
        refuseForeign(kind, id, spec, definitions.folder);
        const name = `${kind}/${id}`;
        if (!stored.has(name) && stored.size >= storedMax) {
          const message = `${storedMax} definitions are stored already: keep them in files`;
          throw new TroupeError("RATE_LIMITED", message, { limit: "storedMax", max: storedMax });
        }
        await define(inList(kind, spec));
        const isNew = !stored.has(name);
        stored.add(name);
        store.setNote(noteOf(name), JSON.stringify(spec));
        if (isNew) store.setNote(listNote, JSON.stringify([...stored]));
        await store.saved();
        return isNew;
      }),
    /** Takes it away, for good. */
    deleteDefinition: (kind: Puttable, id: string): Promise<void> =>
      inTurn(async () => {
        checkArgument("kind", kind, puttable);
        checkArgument("id", id, text);
        if (!maps[kind].has(id)) throw unknownDefinition(codes[kind], kind, id, [...maps[kind].keys()]);
        refuseOthers(kind, id);
        await refuseNeeded(kind, id);
        await define({ [`${kind}s`]: [] }, { [`${kind}s`]: [id] });
        const name = `${kind}/${id}`;
        stored.delete(name);
        store.setNote(listNote, JSON.stringify([...stored]));
        store.setNote(noteOf(name), "");
        await store.saved();
      }),
  };
}

/** As JSON, and of the id that it is put under. */
function checkedSpec(kind: Puttable, id: string, given: Definition, bytesMax: number): Definition {
  if (!isDefinitionId(id)) throw new TroupeError("INVALID_ID", `'${clip(id)}' is no id of a definition`);
  const spec = checkedContent({ ...given, id: given["id"] ?? id }, bytesMax, "the definition") as Definition;
  const errors = [];
  if (spec["id"] !== id) errors.push({ field: "id", message: `must be '${id}', as in the path` });
  for (const own of kind === "workflow" ? ["agents", "tools"] : []) {
    if (own in spec) errors.push({ field: own, message: "are put by themselves, and before the workflow" });
  }
  if (errors.length === 0) return spec;
  const code: ErrorCode = "DEFINITION_INVALID";
  throw new TroupeError(code, `${kind} '${id}' cannot be put: ${errors.map((one) => one.message).join("; ")}`, {
    errors,
  });
}

function refuseForeign(kind: Puttable, id: string, { module }: Definition, folder: string): void {
  const why = module === undefined ? undefined : foreignModule(folder, module);
  if (why === undefined) return;
  const errors = [{ field: "module", message: why }];
  throw new TroupeError("DEFINITION_INVALID", `${kind} '${id}' cannot be put: module: ${why}`, { errors });
}

const calls = (workflow: Workflow, kind: Puttable, id: string): boolean =>
  [...workflow.tasks.values()].some(({ spec }) => spec.type === kind && Reflect.get(spec, kind) === id);
