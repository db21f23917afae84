// An agent that gives its secrets away in every way that an agent can speak.

import type { AgentContext } from "../../../../src/agents/agent.ts";

export async function teller(_given: unknown, context: AgentContext): Promise<unknown> {
  const secret = context.env["PAY_TOKEN"] ?? "";
  const { HOOK_KEY: lines = "" } = context.env;
  context.thinking(`thinking of ${secret}`);
  context.step({ [secret]: lines });
  for (const piece of [`the token is ${secret.slice(0, 5)}`, secret.slice(5, 9), `${secret.slice(9)} and so on`]) {
    context.token(piece);
  }
  context.log.error(secret, { lines: lines.split("\n") });
  await context.tool("spill", { way: "output", key: secret });
  await context.tool("spill", { way: "throw" }).catch(() => undefined);
  // This one could be the id of a tool.
  await context.tool(context.env["ID_KEY"] ?? "", {}).catch(() => undefined);
  await Promise.resolve().then(() => context.usage({ tokens: 1 }));
  return { text: `told ${secret}`, lines };
}
