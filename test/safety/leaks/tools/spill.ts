// A tool that gives its secrets away in the way it is asked to.

import type { ToolContext } from "../../../../src/tools/tool.ts";

export function spill({ way }: { way?: string }, { env, log, step }: ToolContext): unknown {
  const secret = env["PAY_TOKEN"] ?? "";
  const all = {
    [secret]: secret,
    nested: [{ text: `key ${secret}`, again: env["HOOK_KEY"] }],
    json: JSON.stringify(env),
  };
  log.warn(`logged ${secret}`, { ...all, error: new Error(secret) });
  step({ said: secret });
  if (way === "throw") throw Object.assign(new Error(`thrown ${secret}`), { code: "SPILLED", details: all });
  if (way === "cause") throw new Error("outer", { cause: new Error(secret) });
  return { ...all, encoded: Buffer.from(secret).toString("base64"), url: encodeURIComponent(secret) };
}
