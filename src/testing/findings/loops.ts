// Loops that a run cannot leave: at all, or while one of its tasks keeps failing.

import { type Block, blocksOf, reach, type TaskNode, waysOf } from "../../language/blocks.ts";
import { listed } from "../../language/defects.ts";
import { deadWaysOf } from "./dead-ways.ts";
import { flaw, type PlacedFlaw, type Subject } from "./flaw.ts";
import { blocksIn, specOf } from "./tasks.ts";

/** A loop that pauses each time goes on because somebody wants it to. */
export function endless(subject: Subject): PlacedFlaw[] {
  return [...blocksOf(blocksIn(subject.spec))].flatMap((block) => endlessIn(block, subject));
}

function endlessIn(block: Block, subject: Subject): PlacedFlaw[] {
  const dead = new Set(block.tasks.flatMap((node) => deadWaysOf(node, subject)).map(({ way }) => way.path.join(".")));
  const workflow = subject.spec.id;
  const loops: PlacedFlaw[] = [];
  const said = new Set<TaskNode>();
  // Whoever fails for good inside a loop that nobody leaves anyway adds nothing.
  for (const failing of [undefined, ...block.tasks]) {
    const leads = leadsWhile(block, failing, dead);
    for (const node of failing ? [failing] : block.tasks) {
      const after = reach([node], leads.onward);
      if (!after.has(node) || said.has(node)) continue;
      if ([...after].some((one) => leads.exits.has(one) || specOf(one).pause_before !== undefined)) continue;
      for (const one of after) said.add(one);
      const round = block.tasks.filter((one) => after.has(one)).map(({ id }) => `"${id}"`);
      const says = failing
        ? `while "${failing.id}" keeps failing, the run goes round ${listed(round)} and nothing ends that but the` +
          " limit of steps or the deadline of the run"
        : `the run goes round ${listed(round)} for ever: no way leads out of the loop, so that only a failure, the` +
          " limit of steps or the deadline ends it";
      const path = failing ? [...node.path, "on_error"] : [...node.path, "id"];
      loops.push(flaw("never-ends", { workflow, task: node.id, path, says }));
    }
  }
  return loops;
}

type Leads = { onward: Map<TaskNode, Set<TaskNode>>; exits: Set<TaskNode> };

/**
 * Where tasks lead while one of them always fails and the others do not, and which of them lead out of the block. One
 * that fails and has no `on_error` for it leads out: its block fails.
 */
function leadsWhile(block: Block, failing: TaskNode | undefined, dead: ReadonlySet<string>): Leads {
  const byId = new Map(block.tasks.map((node) => [node.id, node]));
  const onward = new Map<TaskNode, Set<TaskNode>>();
  const exits = new Set<TaskNode>();
  for (const node of block.tasks) {
    const ways = waysOf(node).filter(
      ({ isError, path }) => isError === (node === failing) && !dead.has(path.join(".")),
    );
    onward.set(node, new Set(ways.flatMap(({ to }) => byId.get(String(to)) ?? [])));
    if (node === failing ? !takesAny(node) : ways.length === 0) exits.add(node);
  }
  return { onward, exits };
}

/** Whether its `on_error` takes every failure. */
function takesAny(node: TaskNode): boolean {
  const { on_error: onError } = specOf(node);
  if (typeof onError === "string") return true;
  return onError?.some(({ codes }) => codes === undefined) === true;
}
