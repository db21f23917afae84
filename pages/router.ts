// Where one is, as the address bar says it: a signal, links that do not load the page anew, and filters in the query.

import { signal } from "@preact/signals";

export type Place = { readonly path: string; readonly query: URLSearchParams };

const read = (): Place => ({ path: location.pathname, query: new URLSearchParams(location.search) });

export const place = signal(read());

/** Where one was last on the way here, so that a list is found again as it was left. */
export function go(to: string, { replace = false } = {}): void {
  const target = new URL(to, location.href);
  if (target.pathname + target.search === location.pathname + location.search) return;
  if (replace) history.replaceState(null, "", target);
  else history.pushState(null, "", target);
  const isElsewhere = target.pathname !== place.value.path;
  place.value = read();
  if (!isElsewhere) return;
  scrollTo(0, 0);
  document.querySelector("main")?.focus();
}

/** Sets some of the query and leaves the rest; what is empty is left out. */
export function refine(change: Readonly<Record<string, string>>, { replace = true } = {}): void {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(change)) {
    if (value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  go(`${place.value.path}${text === "" ? "" : `?${text}`}`, { replace });
}

/** Addresses that the daemon answers itself. */
const isServed = (path: string): boolean =>
  /^\/(?:api|swagger\.ui|openapi\.json|assets|LICENSES\.txt|inspect)/.test(path);

function followed(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.origin !== location.origin || link.target !== "" || link.hasAttribute("download")) return;
  if (isServed(link.pathname) || link.getAttribute("href")?.startsWith("#")) return;
  event.preventDefault();
  go(link.href);
}

export function watchPlace(): void {
  addEventListener("popstate", () => {
    place.value = read();
  });
  document.addEventListener("click", followed);
}

/** `/executions/:exec_id` of `/executions/2abc` gives `{exec_id: "2abc"}`; undefined where it does not fit. */
export function matched(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.replace(/\/$/, "").split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? "";
    if (part.startsWith(":")) params[part.slice(1)] = decodeURIComponent(text);
    else if (part !== text) return undefined;
  }
  return params;
}
