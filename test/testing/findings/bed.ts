// One workflow, played once as planned, and what the judges say of that.

import type { WorkflowSpec } from "../../../src/language/spec.ts";
import { prepareCast } from "../../../src/testing/check/cast.ts";
import { play } from "../../../src/testing/check/play.ts";
import type { CalleeSpec, Judge, Played, Trial } from "../../../src/testing/check/trial.ts";
import { judgesFor } from "../../../src/testing/findings/judges.ts";

const ok = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] } as const;
export const callee = (id: string, more: object = {}): CalleeSpec => ({ id, output: ok, ...more }) as CalleeSpec;

type Given = {
  agents?: readonly CalleeSpec[];
  tools?: readonly CalleeSpec[];
  others?: readonly WorkflowSpec[];
  trial?: Partial<Trial>;
  own?: readonly Judge[];
};

export async function judged(
  spec: WorkflowSpec,
  { agents = [], tools = [], others = [], trial = {}, own = [] }: Given = {},
): Promise<{ played: Played; found: string[]; says: string }> {
  const company = prepareCast({ workflows: [spec, ...others], agents, tools });
  const planned = { workflow: spec.id, seed: 1, input: {}, calls: {}, disturbances: [], ...trial };
  const played = await play(company, planned);
  const flaws = judgesFor(company, own).flatMap((judge) => [...judge(played)]);
  return {
    played,
    found: flaws.map(({ id, task = "" }) => `${id} ${task}`.trim()),
    says: flaws.map(({ explanation }) => explanation).join("\n"),
  };
}
