// Whether anybody could run an agent: it is defined here, or a runtime elsewhere says that it runs it.

import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import type { Troupe } from "../runtime/troupe.ts";

type Asked = Pick<Troupe, "agentIds" | "runtimes">;

export const knownAgents = (troupe: Asked): string[] => [
  ...new Set([...troupe.agentIds(), ...troupe.runtimes().flatMap(({ agents }) => agents)]),
];

/** A run that nobody can take would only fail later, where nobody looks. */
export function checkAgent(troupe: Asked, id: string): void {
  const known = knownAgents(troupe);
  if (known.includes(id) || known.includes("*")) return;
  const meant = nearest(id, known);
  const hint = meant === undefined ? `there are ${known.join(", ") || "none"}` : `did you mean '${meant}'?`;
  throw new TroupeError("AGENT_NOT_FOUND", `there is no agent '${clip(id)}'; ${hint}`, { agent: clip(id) });
}
