// The world of a run where everything may begin at once: no line, no slots, every runtime is free.

import { newCalls } from "../../actors/flow-calls.ts";
import { newRegistry } from "../../actors/registry.ts";
import { newSlots } from "../../actors/slots.ts";
import { openWorld } from "../../actors/world.ts";
import type { Company, StageWorld } from "./cast.ts";
import { type Hands, placeOfOrder } from "./hands.ts";
import { runtime, subjects } from "./life.ts";
import type { Places } from "./places.ts";
import type { Outcome, Place } from "./trial.ts";

type Means = {
  hands: Hands;
  places: Places;
  plannedAt: (place: Place) => Outcome | undefined;
  refused: (outcome: Outcome) => void;
  depthOf: (run: string) => number;
};

const nothing = (): undefined => undefined;
const still = { now: () => 0, alarm: () => nothing };
const memory = { key: nothing, append: nothing };

/** What is asked of the parts that are not there: they have room for all, and remember nothing. */
const slots = {
  ...newSlots({ max: Infinity, clock: still, memory, grant: nothing, displace: nothing }),
  want: () => true,
  refusal: nothing,
  release: nothing,
};
const stamp = () => ({ at: 0, seed: runtime.exec_id });
const registry = {
  ...newRegistry({ clock: still, stamp, tell: nothing, say: nothing }),
  take: nothing,
  wait: nothing,
  release: nothing,
};

const here = new WeakMap<Company, StageWorld["here"]>();
const calls = new WeakMap<Company, StageWorld["calls"]>();

function callsOf(company: Company): StageWorld["calls"] {
  const { definitions } = company;
  const known = calls.get(company) ?? newCalls({ clock: still, memory, definitions, tell: nothing, again: nothing });
  calls.set(company, known);
  return known;
}
function hereOf(company: Company): StageWorld["here"] {
  const known = here.get(company) ?? new Set(company.components.map(({ code }) => code));
  here.set(company, known);
  return known;
}

export function plainWorld(company: Company, { hands, places, plannedAt, refused, depthOf }: Means): StageWorld {
  const stage: StageWorld["stage"] = { asking: null };
  const refusal = () => {
    const planned = stage.asking ? plannedAt(placeOfOrder(places, stage.asking)) : undefined;
    if (planned?.do !== "undispatched") return undefined;
    refused(planned);
    return planned;
  };
  const { definitions, limits } = company;
  const { handlers } = hands;
  const parts = {
    definitions,
    limits,
    slots,
    calls: callsOf(company),
    registry: {
      ...registry,
      choose(): ReturnType<typeof registry.choose> {
        const planned = refusal();
        return planned ? { is: planned.reason === "all_busy" ? "busy" : "none" } : { is: "chosen", runtime };
      },
    },
    handlers: {
      ...handlers,
      running: (kind: "agent" | "tool") => (kind === "tool" && refusal() ? Infinity : handlers.running(kind)),
    },
    runtime,
    here: hereOf(company),
    depthOf,
  };
  return { ...openWorld(parts, subjects), stage };
}
