// What this process is among those of its namespace: which components live here, and what it answers over HTTP.
//
//   no roles        ─▶ all of it, with its gateway
//   orchestrator    ─▶ the runs, the store, and the gateway that tells of them
//   api alone       ─▶ a door that passes on to the orchestrator's
//   any other       ─▶ nothing but health and readiness, and that where a port was given

import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import { orchestratorRole, roleNames } from "../runtime/roles.ts";
import type { Config } from "./config.ts";

export type Seat = {
  /** The components of the engine; all of them if it is not said, and none at all if there is no engine here. */
  engine?: readonly string[];
  hasOrchestrator: boolean;
  /** Whether it hears what all others report. */
  monitors: boolean;
  door: "gateway" | "relay" | "probe" | "none";
};

const api = "api";
const monitoring = "monitoring";
const known = [...roleNames, api, monitoring];

/** Throws what cannot be, with what to do instead. */
export function seatOf({ settings, shown }: Pick<Config, "settings" | "shown">): Seat {
  const { roles, transport, nats_url, upstream } = settings;
  if (roles === null) return { hasOrchestrator: true, monitors: false, door: "gateway" };
  const wrong = roles.find((role) => !known.includes(role));
  if (wrong !== undefined) {
    const meant = nearest(wrong, known);
    const hint = meant === undefined ? "" : ` (did you mean '${meant}'?)`;
    throw invalid(`'${clip(wrong)}' is none${hint}: there are ${known.join(", ")}`);
  }
  if (roles.length === 0) throw invalid(`must name at least one of ${known.join(", ")}`);
  const hasOrchestrator = roles.includes(orchestratorRole);
  const engine = roles.filter((role) => role !== api && role !== monitoring);
  const monitors = roles.includes(monitoring);
  const isAlone = !hasOrchestrator && (engine.length > 0 || monitors);
  if (isAlone && (transport !== "nats" || nats_url === null)) {
    throw invalid(
      `have no '${orchestratorRole}': it has to be reached, so give --transport nats and --nats-url with the server ` +
        "that it uses",
    );
  }
  if (!roles.includes(api) || hasOrchestrator) {
    const isAsked = shown.some(({ key, origin }) => key === "port" && origin !== "default");
    const door = hasOrchestrator ? "gateway" : isAsked ? "probe" : "none";
    return { engine, hasOrchestrator, monitors, door };
  }
  if (upstream === null) {
    throw invalid(`have '${api}' without '${orchestratorRole}': say where that one's daemon is, with --upstream`);
  }
  return { engine, hasOrchestrator, monitors, door: "relay" };
}

const invalid = (message: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", `this cannot be: roles ${message}`, { errors: [{ field: "roles", message }] });
