// Loads the function that an agent or tool definition names by its module, and says what is wrong if it cannot.

import { isAbsolute, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { advice } from "../language/module.ts";
import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";

/**
 * The handler at a path or URL: its default export, or the one named after `#` (`./tools/orders.ts#find`). Relative
 * paths are from the folder that the definition stands in.
 */
export async function loadHandler(module: string | URL, folder: string): Promise<(...given: never[]) => unknown> {
  const { url, name } = placeOf(module, folder);
  const exports = await load(url);
  const handler = exports[name];
  if (typeof handler === "function") return handler as (...given: never[]) => unknown;
  const functions = Object.keys(exports).filter((key) => typeof exports[key] === "function");
  const meant = name === "default" ? undefined : nearest(name, functions);
  const hint =
    meant === undefined ? `it exports ${functions.join(", ") || "no function at all"}` : `did you mean "${meant}"?`;
  const lacks = name in exports ? "is not a function" : "is not there";
  throw invalid(url, `its ${name === "default" ? "default export" : `export "${name}"`} ${lacks}; ${hint}`);
}

function placeOf(module: string | URL, folder: string): { url: string; name: string } {
  const [given = "", name] = String(module).split(/#(?=[A-Za-z_$][\w$]*$)/);
  const scheme = /^[a-z][a-z0-9+.-]+:/.exec(given)?.[0];
  if (scheme !== undefined && scheme !== "file:") throw invalid(given, "only files are loaded, by path or file: URL");
  const url = scheme !== undefined ? given : pathToFileURL(isAbsolute(given) ? given : resolve(folder, given)).href;
  return { url, name: name ?? "default" };
}

async function load(url: string): Promise<Record<string, unknown>> {
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (thrown) {
    const { code, url: missing } = (thrown instanceof Error ? thrown : {}) as { code?: unknown; url?: unknown };
    if (code === "ERR_MODULE_NOT_FOUND" && missing === url) throw invalid(url, "it is not there", thrown);
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const reason = typeof code === "string" ? advice[code] : undefined;
    throw invalid(url, reason === undefined ? message : `${reason} (${message})`, thrown);
  }
}

const invalid = (url: string, reason: string, cause?: unknown): TroupeError =>
  new TroupeError(
    "DEFINITION_INVALID",
    `the module ${url} cannot be used: ${reason}`,
    { errors: [{ field: "module", message: reason }], module: url },
    { cause },
  );
