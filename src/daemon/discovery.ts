// The daemon as standard NATS tools see it: a service of the micro protocol, with what each of its components hears.

import { randomUUID } from "node:crypto";
import type { Part } from "../actors/supervisor.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import type { Service } from "../transport/nats-services.ts";
import { version } from "../version.ts";
import type { Means } from "./parts.ts";

/** The same for every process of ours: roles and prefix tell them apart. */
const serviceName = "troupe";

/** On a connection of its own: it answers also while the engine is busy with what it hears. */
export const discoveryPart = (means: Means): Part => ({
  name: "discovery",
  async start() {
    const { config, log, state } = means;
    const { answerDiscovery } = await import("../transport/nats-services.ts");
    if (!state.transport) throw new TroupeError("INTERNAL_ERROR", "discovery needs a transport, and there is none");
    // Who only listens has no place to keep one.
    const id = state.troupe?.presence()?.id ?? randomUUID();
    const connection = state.transport.connect({
      name: `${config.prefix}-discovery`,
      onFault: (error, subject) =>
        log.report("warn", "discovery could not answer", { subject, reason: fromUnknown(error).message }),
    });
    const end = answerDiscovery(connection, serviceOf(means, id));
    return async () => {
      end();
      await connection.close();
    };
  },
});

function serviceOf({ config, clock, state }: Means, id: string): Service {
  return {
    name: serviceName,
    id,
    version,
    description: "workflows, tasks, agents and tools as durable statecharts",
    startedAt: clock.now(),
    metadata() {
      const { roles: own = [], runtime } = state.troupe?.presence() ?? {};
      const roles = config.settings.roles ?? own;
      return {
        language: "typescript",
        prefix: config.prefix,
        roles: roles.join(","),
        ...(state.url !== undefined && { http: state.url }),
        ...(runtime && { runtime_id: runtime.exec_id, agents: state.troupe?.agentIds().join(",") ?? "" }),
      };
    },
    endpoints: () => state.troupe?.presence()?.endpoints ?? [],
  };
}
