// What was refused at a door beside the transport, by the gateway for instance, is refused as loudly as on the bus.

import type { openBridge } from "../actors/bridge.ts";
import { components, type Component as Code } from "../protocol/entry.ts";
import { fromUnknown } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";
import type { Received } from "../protocol/rejection.ts";
import { anyText, checkArgument, checkFields, object, oneOf, type Rule, text } from "./arguments.ts";
import type { Options } from "./options.ts";

type Means = {
  bridge: Pick<ReturnType<typeof openBridge>, "refuse"> | undefined;
  id: () => string;
  report: NonNullable<Options["log"]>;
};

const bytes: Rule = { is: (value) => value instanceof Uint8Array, says: "must be bytes" };
const rules = { subject: anyText, headers: object, bytes };

/** Logged, and where there is a transport also said on it: a log line and a dead letter. It was answered already. */
export const openRefusals =
  ({ bridge, id, report }: Means) =>
  (by: Code, received: Received, thrown: unknown, correlationId = id()): void => {
    checkArgument("by", by, oneOf(Object.keys(components)));
    checkFields(received, rules, "what was refused cannot be understood");
    checkArgument("correlationId", correlationId, text);
    const error = fromUnknown(thrown);
    if (bridge) return bridge.refuse(by, received, error, correlationId);
    const { code, message } = error;
    report("error", "a message was refused", { code, subject: clip(received.subject), reason: message });
  };
