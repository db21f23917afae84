// A runtime that is right but for one flaw: what it says, or hears, is changed on its way.

import { systemClock } from "../../src/actors/clock.ts";
import { minter } from "../../src/protocol/ids.ts";
import type { JsonObject } from "../../src/protocol/json.ts";
import type { Line } from "../../src/serve/inbox.ts";
import { openRuntime } from "../../src/serve/runtime.ts";
import { type ServeOptions, settingsOf, signIn } from "../../src/serve/options.ts";
import type { NatsLink } from "../../src/transport/nats-connection.ts";
import { linkSingle } from "../../src/transport/nats-single.ts";
import type { Delivery, Outgoing } from "../../src/transport/transport.ts";
import { agent, input, tool } from "../../examples/runtimes/typescript/behaviours.ts";

/** A message on its way out. */
export type Said = { subject: string; body: JsonObject; headers: Record<string, string>; outgoing: Outgoing };

export type Flaw = {
  /** What leaves in its place; nothing if it is lost. */
  says?: (said: Said) => Said[];
  /** So much later. */
  lateMs?: (said: Said) => number;
  hears?: (delivery: Delivery) => Delivery[];
};

export const nameOf = ({ body }: Said): unknown => (body["metadata"] as JsonObject | undefined)?.["message_type"];

const clock = systemClock();
const clear = { encode: (body: JsonObject) => new TextEncoder().encode(JSON.stringify(body)) };
const bodyOf = (bytes: Uint8Array): JsonObject => JSON.parse(new TextDecoder().decode(bytes)) as JsonObject;

function bent(link: NatsLink, { says = (said) => [said], lateMs = () => 0, hears = (one) => [one] }: Flaw): Line {
  return {
    publish(subject, bytes, outgoing = {}) {
      // What is no message of the protocol is discovery.
      if (subject.startsWith("_INBOX.") && !new TextDecoder().decode(bytes).includes('"metadata"')) {
        return link.publish(subject, bytes, outgoing);
      }
      const given = { subject, body: bodyOf(bytes), headers: { ...outgoing.headers }, outgoing };
      for (const said of says(given)) {
        const act = (): void => {
          void link
            .publish(said.subject, clear.encode(said.body), { ...said.outgoing, headers: said.headers })
            ?.catch(() => undefined);
        };
        const ms = lateMs(said);
        if (ms > 0) clock.alarm(clock.now() + ms, act);
        else act();
      }
      return undefined;
    },
    subscribe: (pattern, hear, group, isPassing) =>
      link.subscribe(pattern, (delivery) => hears(delivery).forEach(hear), group, isPassing),
    request: (...given) => link.request(...given),
    hasInterest: () => link.hasInterest(),
    connected: () => link.connected(),
    onChange: (listener) => link.onChange(listener),
    close: () => link.close(),
  };
}

export async function openFlawed(options: ServeOptions, flaw: Flaw) {
  const served = {
    agents: [{ id: "conformance", handler: agent }],
    tools: [{ id: "conformance", handler: tool, input }],
  };
  const settings = settingsOf(served, options);
  const ids = minter(Math.random);
  const runtime = { id: "flawed", exec_id: ids.next(clock.now()) };
  const report = (): void => undefined;
  const link = await linkSingle({ server: await signIn(options), clock, name: "flawed", echo: true, onFault: report });
  const parts = { served, options, settings, runtime, clock, ids, report, environment: {} };
  return openRuntime({ ...parts, connection: bent(link, flaw) });
}
