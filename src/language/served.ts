// What the language knows and this release does not run: no defect of a project, but nothing that can be opened.

import { isObject } from "../protocol/json.ts";
import { shown } from "./defects.ts";
import type { Defect, Path } from "./spec.ts";

/** What a project, or a workflow, has that cannot run yet. */
export function unservedIn(spec: unknown): Defect[] {
  const { agents, tools, object_store: store } = isObject(spec) ? spec : {};
  return [...unserved(agents, "agents", "agent"), ...unserved(tools, "tools", "tool"), ...unservedStore(store)];
}

const off: ReadonlySet<unknown> = new Set([undefined, null, false, "off"]);
const unservedStore = (store: unknown): Defect[] =>
  off.has(store) ? [] : [defect(["object_store"], "an object store is not served yet", "leave it out")];

const defect = (path: Path, message: string, hint: string): Defect => ({
  path,
  code: "NOT_SERVED",
  message,
  hint,
  severity: "warning",
});

function unserved(list: unknown, key: string, what: string): Defect[] {
  return (Array.isArray(list) ? [...list.entries()] : []).flatMap(([index, one]: [number, unknown]): Defect[] => {
    if (!isObject(one)) return [];
    const { id, kind, isolation = "inline" } = one;
    const note = (path: Path, says: string, hint: string): Defect[] => [
      {
        path,
        code: "NOT_SERVED",
        message: `${what} ${shown(id)}: ${says} is not served yet`,
        hint,
        severity: "warning",
      },
    ];
    // Of none the grammar says what there is.
    if (kind === "remote" || kind === undefined) return [];
    if (kind !== "module") return note([key, index, "kind"], `kind ${shownBare(kind)}`, "write a module that does it");
    if (isolation === "inline") return [];
    return note([key, index, "isolation"], `isolation ${shownBare(isolation)}`, "write `isolation: inline`");
  });
}

const shownBare = (value: unknown): string => (typeof value === "string" ? value : shown(value));
