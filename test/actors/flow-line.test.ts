// Goal: a line lets in as many as its doors allow, at the times that their rates allow, and in the right order.
// Method: random comings, beginnings, leavings and waits against a naive model, which keeps lists and looks at all.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Door, newFlowLine } from "../../src/actors/flow-line.ts";

type Rules = Record<string, { limit: number } | { rate: { limit: number; perMs: number } }>;
type Member = {
  id: string;
  doors: readonly string[];
  priority: number;
  turn: string;
  state: "waits" | "in" | "begun";
};

const rules: Rules = {
  all: { limit: 3 },
  one: { limit: 1 },
  two: { limit: 2 },
  slow: { rate: { limit: 1, perMs: 10 } },
  pair: { rate: { limit: 2, perMs: 25 } },
};
const wishes = [["all"], ["one", "all"], ["two", "all"], ["slow", "all"], ["two", "pair"], ["pair"], []];

/** Everything in lists, in the order of coming; every question looks at all of it. */
function model() {
  const members: Member[] = [];
  const begun: { door: string; at: number }[] = [];
  /** Of each priority the turns of those that wait, the next first. */
  const turns = new Map<number, string[]>();
  const isOpen = (door: string, now: number): boolean => {
    const rule = rules[door];
    const isIn = ({ doors, state }: Member): boolean => doors.includes(door) && state !== "waits";
    if (!rule) throw new Error("no such door");
    if ("limit" in rule) return members.filter(isIn).length < rule.limit;
    const { limit, perMs } = rule.rate;
    const recent = begun.filter((one) => one.door === door && one.at + perMs > now).length;
    return recent + members.filter((one) => isIn(one) && one.state === "in").length < limit;
  };
  const next = (now: number): Member | undefined => {
    const ready = members.filter(({ doors, state }) => state === "waits" && doors.every((door) => isOpen(door, now)));
    const priority = Math.max(...ready.map((one) => one.priority));
    const turn = turns
      .get(priority)
      ?.find((name) => ready.some((one) => one.turn === name && one.priority === priority));
    return ready.find((one) => one.priority === priority && one.turn === turn);
  };
  const leaveTurn = ({ priority, turn }: Member): void => {
    const names = turns.get(priority) ?? [];
    names.splice(names.indexOf(turn), 1);
    const isLeft = members.some((one) => one.state === "waits" && one.priority === priority && one.turn === turn);
    if (isLeft) names.push(turn);
  };
  const fill = (now: number): string[] => {
    const granted: string[] = [];
    for (let one = next(now); one; one = next(now)) {
      one.state = "in";
      leaveTurn(one);
      granted.push(one.id);
    }
    return granted;
  };
  return {
    members,
    begun,
    isOpen,
    fill,
    enter(member: Omit<Member, "state">, now: number): string[] {
      const before = fill(now);
      const names = turns.get(member.priority) ?? [];
      turns.set(member.priority, names);
      // Who goes in at once takes nobody's turn.
      const isFree = member.doors.every((door) => isOpen(door, now));
      members.push({ ...member, state: isFree ? "in" : "waits" });
      if (!isFree && !names.includes(member.turn)) names.push(member.turn);
      return isFree ? [...before, member.id] : before;
    },
    leave(id: string, now: number): string[] {
      const index = members.findIndex((one) => one.id === id);
      const [gone] = members.splice(index, 1);
      const isLast = !members.some(
        (one) => one.state === "waits" && one.priority === gone?.priority && one.turn === gone.turn,
      );
      const names = turns.get(gone?.priority ?? 0) ?? [];
      if (gone?.state === "waits" && isLast) names.splice(names.indexOf(gone.turn), 1);
      return fill(now);
    },
  };
}

const act = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      act: fc.constant("enter" as const),
      doors: fc.constantFrom(...wishes),
      priority: fc.constantFrom(0, 0, 1),
      turn: fc.constantFrom("", "a", "b"),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("leave" as const), which: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant("begin" as const), which: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("wait" as const), ms: fc.constantFrom(1, 5, 10, 25) }) },
);

describe("whatever comes in whatever order", () => {
  const plays = fc.array(act, { maxLength: 80 });

  test("N1, N2, N3: the line does what a plain list does", () => {
    fc.assert(
      fc.property(plays, (play) => {
        const line = newFlowLine();
        const naive = model();
        let now = 1_000;
        let count = 0;
        for (const one of play) {
          const doors = new Map<string, Door>(
            Object.entries(rules).map(([scope, rule]) => [scope, line.door({ scope, key: null, ...rule })]),
          );
          let granted: [string[], string[]] = [[], []];
          if (one.act === "enter") {
            count += 1;
            const id = String(count);
            const { priority, turn } = one;
            // Time opens doors before anybody comes.
            const before = line.advance(now);
            const wish = { doors: one.doors.map((name) => doors.get(name) as Door), priority, turn };
            granted = [
              [...before, ...line.enter(id, wish, now)],
              naive.enter({ id, doors: one.doors, priority, turn }, now),
            ];
          } else if (one.act === "wait") {
            now += one.ms;
            granted = [line.advance(now), naive.fill(now)];
          } else {
            const member = naive.members[one.which % Math.max(1, naive.members.length)];
            if (!member) continue;
            if (one.act === "leave") {
              const before = line.advance(now);
              naive.fill(now);
              granted = [
                [...before, ...line.leave(member.id, now)],
                [...before, ...naive.leave(member.id, now)],
              ];
            } else if (member.state === "in") {
              line.begin(member.id, now);
              member.state = "begun";
              for (const door of member.doors) if ("rate" in (rules[door] ?? {})) naive.begun.push({ door, at: now });
            }
          }
          expect(granted[0]).toEqual(granted[1]);
          expect(line.waiting()).toBe(naive.members.filter(({ state }) => state === "waits").length);
          for (const { id, state } of naive.members) expect(line.isIn(id)).toBe(state !== "waits");
        }
        // N2, in any window and not only in those that the model looked at.
        for (const [door, rule] of Object.entries(rules)) {
          if (!("rate" in rule)) continue;
          const times = naive.begun.filter((one) => one.door === door).map(({ at }) => at);
          for (const [index, at] of times.entries()) {
            expect(times.slice(index).filter((other) => other < at + rule.rate.perMs).length).toBeLessThanOrEqual(
              rule.rate.limit,
            );
          }
        }
      }),
      { numRuns: 1_500 },
    );
  });

  test("N3: the place that one has in line is how many go before it, if nobody else comes", () => {
    const one = fc.record({ priority: fc.constantFrom(0, 1), turn: fc.constantFrom("", "a", "b", "c") });
    fc.assert(
      fc.property(fc.array(one, { minLength: 2, maxLength: 20 }), (list) => {
        const line = newFlowLine();
        const door = line.door({ scope: "one", key: null, limit: 1 });
        for (const [index, wish] of list.entries()) line.enter(String(index), { doors: [door], ...wish }, 0);
        const places = list.slice(1).map((_, index) => line.place(String(index + 1))?.place);
        const order: string[] = [];
        for (let [id] = ["0"]; id !== undefined; [id] = line.leave(id, 0) as [string]) order.push(id);
        expect(order).toHaveLength(list.length);
        expect(places).toEqual(list.slice(1).map((_, index) => order.indexOf(String(index + 1))));
      }),
    );
  });
});

test("N3: nobody is passed by for ever: newcomers of ever new turns, and those of a busy one, go behind", () => {
  const line = newFlowLine();
  const door = line.door({ scope: "one", key: null, limit: 1 });
  const come = (id: string, turn: string): string[] => line.enter(id, { doors: [door], turn }, 0);
  come("first", "busy");
  for (let n = 0; n < 5; n++) come(`busy ${n}`, "busy");
  come("patient", "other");
  const order: string[] = [];
  let last = "first";
  for (let n = 0; n < 4; n++) {
    come(`new ${n}`, `turn ${n}`);
    come(`more ${n}`, "busy");
    last = line.leave(last, 0)[0] ?? "";
    order.push(last);
  }
  expect(order).toEqual(["busy 0", "patient", "new 0", "busy 1"]);
});

test("N2: what is remembered of a rate counts, and what has begun again counts again", () => {
  const line = newFlowLine((door) => (door === "rate\nk" ? [100, 90] : []));
  const door = line.door({ scope: "rate", key: "k", rate: { limit: 3, perMs: 50 } });
  expect(line.enter("a", { doors: [door] }, 110)).toEqual(["a"]);
  expect(line.enter("b", { doors: [door] }, 110)).toEqual([]);
  line.begin("a", 120);
  expect(line.dueAt()).toBe(140);
  line.begin("a", 130);
  expect(line.dueAt()).toBe(150);
  expect([line.advance(149), line.advance(150)]).toEqual([[], ["b"]]);
});

test("N1: who holds counts beside those that go in, and a limit that is changed holds from then on", () => {
  const line = newFlowLine();
  const rule = { scope: "x", key: null };
  const door = line.door({ ...rule, limit: 2 });
  line.hold("old", { doors: [door] });
  expect([line.enter("a", { doors: [door] }, 0), line.enter("b", { doors: [door] }, 0)]).toEqual([["a"], []]);
  line.door({ ...rule, limit: 3 });
  expect(line.enter("c", { doors: [door] }, 0), "who waited is first").toEqual(["b"]);
});

test("N4: nothing is left of who has left", () => {
  const line = newFlowLine();
  const room = line.door({ scope: "room", key: "k", limit: 1 });
  const rate = line.door({ scope: "rate", key: "k", rate: { limit: 1, perMs: 10 } });
  for (const id of ["a", "b", "c"]) line.enter(id, { doors: [room, rate], turn: id }, 0);
  line.begin("a", 0);
  expect(line.leave("b", 1)).toEqual([]);
  expect(line.leave("a", 2)).toEqual([]);
  expect(line.dueAt()).toBe(10);
  expect(line.advance(10)).toEqual(["c"]);
  expect(line.leave("c", 11)).toEqual([]);
  expect([line.waiting(), line.dueAt(), line.doors()]).toEqual([0, Infinity, []]);
});

test("N4: a door that was only looked at is forgotten", () => {
  const line = newFlowLine();
  const door = line.door({ scope: "room", key: "k", limit: 1 });
  line.drop([door], 0);
  expect(line.doors()).toEqual([]);
});

test("N1: no key or turn, whatever is written in it, stands for another", () => {
  const line = newFlowLine();
  const odd = line.door({ scope: "a", key: "k\na\nl", limit: 1 });
  const [k, l] = ["k", "l"].map((key) => line.door({ scope: "a", key, limit: 1 })) as [Door, Door];
  for (const door of [odd, k, l]) line.enter(`in ${door.name}`, { doors: [door] }, 0);
  line.enter("one", { doors: [odd] }, 0);
  line.enter("two", { doors: [k, l] }, 0);
  line.enter("three", { doors: [l] }, 0);
  expect([line.leave(`in ${odd.name}`, 0), line.leave(`in ${k.name}`, 0), line.leave(`in ${l.name}`, 0)]).toEqual([
    ["one"],
    [],
    ["two"],
  ]);
});

test("a hundred thousand that wait cost no more each than a few do", () => {
  const line = newFlowLine();
  const all = line.door({ scope: "all", key: null, limit: 1 });
  const wish = { doors: [all] };
  for (let id = 0; id < 100_000; id++) line.enter(String(id), wish, 0);
  let last = "0";
  for (let left = 99_999; left > 0; left--) last = line.leave(last, 0)[0] ?? "nobody";
  expect([last, line.waiting()]).toEqual(["99999", 0]);
});
