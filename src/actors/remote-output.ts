// What an agent of another process answers, held against the `output` of its definition here.

import { isOfThisProcess } from "../agents/agent.ts";
import { schemaOf, wrong } from "../language/json-schema.ts";
import { asData } from "../machines/speech.ts";
import type { Message } from "../protocol/catalogue.ts";
import type { Word } from "./component.ts";
import type { World } from "./world.ts";

type Answer = Message<"result:AgentExecutionResult">;

/** As it came, with defaults filled in; or as the agent's failure, where it breaks the schema. */
export function fittedAnswer({ definitions }: Pick<World, "definitions">, word: Word): Word {
  const { agent, payload } = word as unknown as Answer;
  const definition = definitions.agents.get(agent.id ?? "");
  if (!definition || isOfThisProcess(definition) || definition.output === undefined) return word;
  const output = payload.result && "output" in payload.result ? payload.result.output : undefined;
  if (payload.status !== "SUCCESS" || output === undefined) return word;
  const checked = checkedBy(definition.output, output);
  if (!checked.errors) return withPayload(word, { ...payload, result: { output: asData(checked.value) } });
  const { message, details } = wrong(`the output of agent '${definition.id}'`, checked.errors);
  const error = { code: "AGENT_ERROR", message, details: { ...details, cause_code: "OUTPUT_INVALID" } };
  return withPayload(word, { ...payload, status: "AGENT_ERROR", result: { error } });
}

const withPayload = (word: Word, payload: object): Word => ({ ...word, payload }) as Word;

/** What is no object came as `{value}`. */
function checkedBy(schema: Parameters<typeof schemaOf>[0], output: object) {
  const checked = schemaOf(schema).check(output);
  const isWrapped = checked.errors && Object.keys(output).join() === "value";
  const inner = isWrapped ? schemaOf(schema).check((output as { value: unknown }).value) : checked;
  return inner.errors ? checked : inner;
}
