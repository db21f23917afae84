// Where answers go: requests that leave a chart get the reply subject that their callee's id gives.

import type { Key } from "../protocol/catalogue.ts";
import type { Component as Code } from "../protocol/entry.ts";
import type { Word } from "./component.ts";
import type { Run } from "./run.ts";
import type { World } from "./world.ts";

type Asks = { entity: "agent" | "tool" | "workflow" | "task" | "agent_runtime"; by?: Code };

const requests: { readonly [key in Key]?: Asks } = {
  "command:TaskExecute": { entity: "task" },
  "command:TriggerAgent": { entity: "agent" },
  "command:ToolExecute": { entity: "tool" },
  "command:AgentRuntimeCancel": { entity: "agent_runtime" },
  // A task that signals wants to know whether it was heard.
  "command:WorkflowSignal": { entity: "workflow", by: "TE" },
};

/** The message as it is sent. */
export function completed(world: World, run: Run, by: Code, word: Word): Word {
  const asks = requests[word.type as Key];
  if (!asks || (asks.by !== undefined && asks.by !== by)) return word;
  const payload = word["payload"] as { reply_to_subject?: string };
  const execId = word[asks.entity]?.exec_id ?? "";
  // A runtime by itself need not hear what others are answered.
  const apart = by === "AR" && !world.here.has("TE") ? world.runtime : null;
  const reply_to_subject = apart
    ? `_INBOX_${apart.exec_id}.${execId}`
    : world.replySubject(asks.entity, execId, run.correlationId);
  return { ...word, payload: { ...payload, reply_to_subject } };
}
