// What the agent and the tool `conformance` do, by the `do` of their input: the kit chooses, the runtime obeys.

import { setTimeout as delay } from "node:timers/promises";
import { type AgentContext, type ToolContext } from "../../../src/serve/serve.ts";

type Input = Readonly<Record<string, unknown>> & { readonly do?: string };
type Act = (input: Input, context: ToolContext) => unknown;

const begun = { agent: 0, tool: 0 };
const hangMs = 60_000;

const both: Readonly<Record<string, Act>> = {
  echo: ({ value = null }) => ({ echo: value }),
  empty: () => ({}),
  async hang({ ms = hangMs }, { signal }) {
    await delay(Number(ms), undefined, { signal });
    return { waited: ms };
  },
  large: ({ bytes }) => ({ text: "x".repeat(Number(bytes)) }),
  fail({ code, message }) {
    throw Object.assign(new Error(String(message)), { code });
  },
};

const agentAlone: Readonly<Record<string, (input: Input, context: AgentContext) => unknown>> = {
  think({ text }, { think, token, step }) {
    think(String(text));
    token(String(text));
    step({ at: 1 });
    return { thought: text };
  },
  tool: async ({ tool: id, input: given }, context) => ({ tool: await context.tool(String(id), given) }),
  count: () => ({ begun: begun.agent }),
};

export function agent(given: unknown, context: AgentContext): unknown {
  begun.agent += 1;
  const { do: name = "" } = given as Input;
  const act = agentAlone[name] ?? both[name];
  if (!act) throw Object.assign(new Error(`no behaviour '${name}'`), { code: "UNKNOWN_BEHAVIOUR" });
  return act(given as Input, context);
}

const toolAlone: Readonly<Record<string, Act>> = { count: () => ({ begun: begun.tool }) };

export function tool(given: unknown, context: ToolContext): unknown {
  begun.tool += 1;
  const { do: name = "" } = given as Input;
  return (toolAlone[name] ?? both[name])?.(given as Input, context);
}

/** The schema of the tool's input: anything else is refused before it begins. */
export const input = {
  type: "object",
  properties: { do: { enum: [...Object.keys(both), ...Object.keys(toolAlone)] } },
  required: ["do"],
} as const;
