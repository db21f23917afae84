// The `api` role in a process of its own: a door that passes on to the daemon that has the orchestrator.

import type { Part } from "../actors/supervisor.ts";
import { heldPort } from "./held.ts";
import type { Means } from "./parts.ts";

export const relayPart = (means: Means): Part => ({
  name: "the relay",
  async start() {
    const { config, around, clock, log, state, door, guard } = means;
    const { settings } = config;
    const { openRelay } = await import("../gateway/relay.ts");
    const { app, close } = await openRelay({
      upstream: settings.upstream ?? "",
      guard,
      daemon: door,
      log: log.report,
      clock,
      ...(around.pages !== undefined && { pages: around.pages }),
    });
    try {
      state.url = await app.listen({ host: settings.host, port: state.port });
    } catch (error) {
      await close(0);
      throw heldPort(error, settings);
    }
    state.port = Number(new URL(state.url).port);
    return () => close(state.phase === "draining" ? Math.max(0, state.deadline - clock.now()) : 0);
  },
});
