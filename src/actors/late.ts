// A reply to a call that has ended: it is applied to nothing, and whoever made the call warns of it.

import type { Component as Code } from "../protocol/entry.ts";
import type { Host, Word } from "./component.ts";
import { placeAt } from "./state-manager.ts";

export function sayLate(host: Host, by: Code, word: Word): void {
  const { workflow, task, agent, tool } = word;
  const callee = tool ?? agent;
  const known = callee && host.run.executions.get(placeAt(tool ? "tool" : "agent", callee.exec_id, task?.exec_id));
  if (!callee || known?.isOpen === true) return;
  // How executions stand is known where they are recorded. Elsewhere, a call that is not there has ended.
  if (!known && host.world.here.has("WO")) return;
  const message = `a reply of ${tool ? "tool" : "agent"} '${callee.id}' came after the end of its call`;
  host.say(by, {
    type: "log:LogEmitted",
    ...(workflow && { workflow }),
    ...(task && { task }),
    ...(agent && { agent }),
    ...(tool && { tool }),
    payload: {
      log_level: "warn",
      message,
      timestamp: new Date(host.at).toISOString(),
      context: { code: "LATE_MESSAGE" },
    },
  });
}
