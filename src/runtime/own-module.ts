// Whether a module that a message names may be loaded: only code that whoever runs the project has put into its folder.
//
// Whoever may define agents and tools over the network chooses among what is there. Without this, it would be code from
// wherever that process can read, and so from wherever somebody else can write.

import { realpathSync, statSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";

/** What is wrong with it; nothing if it may be. Links are followed before it is judged. */
export function foreignModule(folder: string, module: unknown): string | undefined {
  const path = typeof module === "string" ? module.replace(/#[A-Za-z_$][\w$]*$/, "") : "";
  if (path === "" || isAbsolute(path) || /^[a-z][a-z0-9+.-]*:/i.test(path)) return outside;
  const from = placeOf(folder);
  const at = placeOf(resolve(folder, path));
  if (from === undefined || at === undefined || !statSync(at).isFile())
    return `there is no file ${path} in the folder of the project`;
  const steps = relative(from, at).split(sep);
  // Hidden folders hold what programs keep, such as the data of this one; packages are not the project's own.
  const isForeign =
    isAbsolute(steps.join(sep)) || steps.some((step) => step.startsWith(".") || step === "node_modules");
  return isForeign ? outside : undefined;
}

const outside =
  "must be a file in the folder of the project, by its path from there, when it does not come from a file";

function placeOf(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    // Nothing is there.
    return undefined;
  }
}
