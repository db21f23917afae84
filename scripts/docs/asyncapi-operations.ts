// The operations of the AsyncAPI document: what each component sends and receives, in which group, and the replies.

import { entryOf, keys, nameOf, type Key } from "../../src/protocol/catalogue.ts";
import { components, everyone, type Component } from "../../src/protocol/entry.ts";
import { idOf, isEvent, ref, results, type Part } from "./asyncapi-channels.ts";

/** The queue group in which a component reads a message; without one every instance hears it. */
function queueOf(component: Component, key: Key): string | undefined {
  const { kind, entity } = entryOf(key);
  if (component === "WO" && (kind === "command" || kind === "event")) return "orchestrator";
  if (component === "TD") return "task-dispatcher";
  if (component === "TE" && key === "command:TaskExecute") return "task-executor";
  if (component === "XE" && key === "command:ToolExecute") return "tool-executor";
  if (component === "AD" && kind === "command" && entity === "agent") return "agent-dispatcher";
  if (component === "SM") return "state-manager";
  if (component === "MON" && kind === "log") return "monitoring";
  return undefined;
}

const inGroup = (queue: string | undefined): Part =>
  queue === undefined ? {} : { bindings: { nats: { queue, bindingVersion: "0.1.0" } } };
const taggedAs = (name: string): Part => ({ tags: [{ name }] });
const watches = (key: Key, component: string): boolean =>
  isEvent(key) && (everyone as readonly string[]).includes(component);

// A relay is acknowledged on the NATS reply field, because its reply_to_subject is where the agent's result goes.
const replyName = (key: Key): string | undefined => {
  const { reply } = entryOf(key);
  if (key === "command:AgentRuntimeExecute") return "relay";
  return reply?.slice(reply.indexOf(":") + 1);
};

const operation = (action: "send" | "receive", key: Key, component: string, queue?: string): Part => {
  const reply = replyName(key);
  return {
    action,
    channel: ref("channels", idOf(key)),
    messages: [ref("channels", idOf(key), "messages", idOf(key))],
    ...taggedAs(component),
    ...(reply === undefined ? {} : { reply: ref("components", "replies", reply) }),
    ...inGroup(queue),
  };
};

const nameOfComponent = (component: string): string =>
  Object.hasOwn(components, component) ? components[component as Component] : component;

export function operations(): Part {
  const all: [string, Part][] = [];
  for (const key of keys) {
    const { by, to } = entryOf(key);
    for (const sender of by) all.push([`${sender}.send.${idOf(key)}`, operation("send", key, nameOfComponent(sender))]);
    for (const receiver of to) {
      if (watches(key, receiver)) continue;
      const queue = receiver === "issuer" ? undefined : queueOf(receiver, key);
      all.push([`${receiver}.receive.${idOf(key)}`, operation("receive", key, nameOfComponent(receiver), queue)]);
    }
  }
  for (const watcher of everyone) {
    all.push([
      `${watcher}.receive.events`,
      {
        action: "receive",
        channel: ref("channels", "events"),
        ...taggedAs(components[watcher]),
        ...inGroup(queueOf(watcher, "event:WorkflowExecutionStarted")),
      },
    ]);
  }
  return Object.fromEntries(all.toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

const replyAddress = {
  location: "$message.payload#/payload/reply_to_subject",
  description: "In a request also the NATS reply field, and that wins if they differ.",
};
const replyWith = (key: Key, address?: Part): Part => ({
  ...(address === undefined ? {} : { address }),
  channel: ref("channels", "inbox"),
  messages: [ref("channels", "inbox", "messages", idOf(key))],
});
export const replies: Part = {
  ...Object.fromEntries(results.map((key) => [nameOf(key), replyWith(key, replyAddress)])),
  // The NATS reply field alone: the command's reply_to_subject is where the agent's result goes.
  relay: replyWith("result:CommandAck"),
};
