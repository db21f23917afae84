// Which components live in this process: all of them, or those of the roles it was given.

import { agentDispatcher } from "../actors/agent-dispatcher.ts";
import { agentRuntimeComponent } from "../actors/agent-runtime.ts";
import type { Component } from "../actors/component.ts";
import { orchestrator } from "../actors/orchestrator.ts";
import { taskDispatcher } from "../actors/task-dispatcher.ts";
import { taskExecutor } from "../actors/task-executor.ts";
import { toolExecutor } from "../actors/tool-executor.ts";
import { TroupeError } from "../protocol/errors.ts";
import { nearest } from "../protocol/nearest.ts";
import { clip } from "../protocol/refusal.ts";
import type { Options } from "./options.ts";

export const components: readonly Component[] = [
  orchestrator,
  taskDispatcher,
  taskExecutor,
  agentDispatcher,
  agentRuntimeComponent,
  toolExecutor,
];
/** It reads the orchestrator's log, and is there with it. */
const stateManager = "state-manager";
/** It begins runs, and lives with whoever has them. */
export const scheduleRole = "schedule";
export const orchestratorRole = orchestrator.role;
export const roleNames: readonly string[] = [...components.map(({ role }) => role), stateManager, scheduleRole];

export function componentsOf({ roles, transport, wire }: Options): readonly Component[] {
  if (wire === true && !transport) throw invalid("wire", "needs a transport");
  if (roles === undefined) return components;
  const wrong = roles.find((role) => !roleNames.includes(role));
  if (wrong !== undefined) {
    const meant = nearest(wrong, roleNames);
    const hint = meant === undefined ? "" : `, did you mean '${meant}'?`;
    throw invalid("roles", `'${clip(wrong)}' is none${hint} There are ${roleNames.join(", ")}`);
  }
  const here = components.filter(({ role }) => roles.includes(role));
  if (roles.includes(stateManager) && !here.includes(orchestrator)) {
    throw invalid("roles", `'${stateManager}' reads the log of '${orchestrator.role}', and lives with it`);
  }
  if (roles.includes(scheduleRole) && !here.includes(orchestrator)) {
    throw invalid("roles", `'${scheduleRole}' begins runs, and lives with '${orchestrator.role}'`);
  }
  if (here.length === 0) throw invalid("roles", `must name at least one of ${roleNames.join(", ")}`);
  if (here.length < components.length && !transport) {
    throw invalid("roles", "must all be here where there is no transport to reach the others");
  }
  return here;
}

const invalid = (field: string, message: string): TroupeError =>
  new TroupeError("VALIDATION_FAILED", `these options cannot be: ${field} ${message}`, {
    errors: [{ field, message }],
  });
