// A line before doors: each lets in so many at once, or so many within a time, and whoever waits goes in turn.
//
//   enter ─▶ all its doors open? ─yes─▶ in ──leave──▶ a door opens ─▶ the next of those who wait there
//                  └─no─▶ waits at one that is shut
//
// Who waits for the same doors, with the same priority and turn, stands in one queue. A queue waits at one shut door:
// a door that opens looks at the queues that wait there, and at no others. It knows no clock: it is told the time.
//
// Invariants:
//   N1. Never more are in by a door than its limit, but those that were let in by `hold` or do not wait for that door.
//   N2. Never more begin by a door within any time as long as that of its rate, up to but not with its end, than the
//       rate allows; who was let in and has not begun counts as about to begin.
//   N3. Of those whose doors are all open the highest priority goes first; among equals the turns go round; within a
//       turn whoever came first. Nobody whose doors are open is left waiting.
//   N4. Who has left neither holds nor waits, and a door that nobody needs and no rate remembers is forgotten.

/** `key`: the value that it is for; `scope`: what all doors for other values of the same rule have in common. */
export type DoorRule = { scope: string; key: string | null } & (
  | { limit: number; rate?: never }
  | { rate: { limit: number; perMs: number }; limit?: never }
);

export type Door = {
  readonly name: string;
  readonly scope: string;
  readonly key: string | null;
  limit: number;
  rate: { limit: number; perMs: number } | null;
  /** How many are in; not of a rate. */
  held: number;
  /** Of a rate: how many were let in and have not begun; and when those that count began, oldest first. */
  due: number;
  times: number[];
  /** How many wait that have to go through it; and through all doors of its rule. */
  waiting: number;
  readonly ofRule: { waiting: number };
  queues: Set<Queue>;
};

export type Wish = {
  doors: readonly Door[];
  /** Counted there, and not waited for. */
  also?: readonly Door[];
  priority?: number;
  turn?: string;
};

type Turn = { name: string; number: number; waiting: number };
type Queue = {
  name: string;
  doors: readonly Door[];
  priority: number;
  turn: Turn;
  /** From `first` on, in the order of coming; who has left stands there still, and is not counted. */
  line: Member[];
  first: number;
  size: number;
  at: Door;
};
type Member = { id: string; wish: Wish; queue: Queue | null; arrival: number; hasBegun: boolean };

/** Those that have left are swept out of a queue when they are more than those that wait, and more than this. */
const sweepMin = 64;

/** `recall`: when the last ones began by a door with a rate, as far as is known from before. */
export function newFlowLine(recall: (door: string) => readonly number[] = () => []) {
  const doors = new Map<string, Door>();
  const queues = new Map<string, Queue>();
  const turns = new Map<string, Turn>();
  const members = new Map<string, Member>();
  /** Doors with a rate where somebody waits. */
  const timed = new Set<Door>();
  /** Doors with a rate by which somebody began: whose last begin is longest ago comes first. */
  const recent = new Set<Door>();
  const rules = new Map<string, { waiting: number }>();
  let turnsTaken = 0;
  let arrivals = 0;
  let waiting = 0;

  const opensAt = ({ rate, times, due }: Door): number => {
    if (!rate) return -Infinity;
    const first = times.length + due - rate.limit;
    if (first < 0) return -Infinity;
    return first < times.length ? (times[first] as number) + rate.perMs : Infinity;
  };
  const isOpen = (door: Door, now: number): boolean => door.held < door.limit && opensAt(door) <= now;

  function park(queue: Queue, at: Door): void {
    queue.at.queues.delete(queue);
    if (queue.at.queues.size === 0) timed.delete(queue.at);
    queue.at = at;
    at.queues.add(queue);
    if (at.rate) timed.add(at);
  }

  function queueOf({ doors: wanted, priority = 0, turn: turnName = "" }: Wish, at: Door): Queue {
    // Keys and turns come from inputs, and may hold anything.
    const name = JSON.stringify([priority, turnName, ...wanted.map((door) => door.name)]);
    const known = queues.get(name);
    if (known) return known;
    const turnKey = `${priority}\n${turnName}`;
    const turn = turns.get(turnKey) ?? { name: turnKey, number: ++turnsTaken, waiting: 0 };
    turns.set(turnKey, turn);
    const queue: Queue = { name, doors: wanted, priority, turn, line: [], first: 0, size: 0, at };
    queues.set(name, queue);
    park(queue, at);
    return queue;
  }

  function enqueue(member: Member, now: number): void {
    const { wish } = member;
    const at = wish.doors.find((door) => !isOpen(door, now)) ?? (wish.doors[0] as Door);
    const queue = queueOf(wish, at);
    member.queue = queue;
    member.arrival = ++arrivals;
    queue.line.push(member);
    queue.size += 1;
    queue.turn.waiting += 1;
    countWaiting(queue, 1);
  }
  function countWaiting({ doors: wanted }: Queue, change: 1 | -1): void {
    waiting += change;
    for (const door of wanted) {
      door.waiting += change;
      door.ofRule.waiting += change;
    }
  }

  /** Takes one out of its queue. */
  function unqueue(member: Member, isServed: boolean): void {
    const { queue } = member;
    if (!queue) return;
    const { turn } = queue;
    member.queue = null;
    queue.size -= 1;
    countWaiting(queue, -1);
    if (queue.size === 0) {
      queues.delete(queue.name);
      queue.at.queues.delete(queue);
      if (queue.at.queues.size === 0) timed.delete(queue.at);
    } else if (queue.line.length > 2 * queue.size + sweepMin) {
      queue.line = queue.line.filter((one) => one.queue === queue);
      queue.first = 0;
    }
    turn.waiting -= 1;
    if (turn.waiting === 0) turns.delete(turn.name);
    else if (isServed) turn.number = ++turnsTaken;
  }

  function letIn({ wish: { doors: waited, also = [] } }: Member): void {
    for (const door of waited) letInBy(door);
    for (const door of also) letInBy(door);
  }
  const letInBy = (door: Door): void => {
    if (door.rate) door.due += 1;
    else door.held += 1;
  };

  const isBefore = (one: Queue, other: Queue): boolean => {
    if (one.priority !== other.priority) return one.priority > other.priority;
    if (one.turn !== other.turn) return one.turn.number < other.turn.number;
    return (headOf(one)?.arrival ?? 0) < (headOf(other)?.arrival ?? 0);
  };

  /** Lets in whoever can go in by doors that may have opened. */
  function fill(opened: Iterable<Door>, now: number): string[] {
    const granted: string[] = [];
    for (;;) {
      let best: Queue | undefined;
      for (const door of opened) {
        if (door.queues.size === 0 || !isOpen(door, now)) continue;
        for (const queue of door.queues) {
          const shut = queue.doors.find((one) => !isOpen(one, now));
          if (shut) park(queue, shut);
          else if (!best || isBefore(queue, best)) best = queue;
        }
      }
      const member = best && headOf(best);
      if (!member) return granted;
      unqueue(member, true);
      letIn(member);
      granted.push(member.id);
    }
  }

  function noteBegin(door: Door, now: number): void {
    const { times, rate } = door;
    times.push(Math.max(now, times.at(-1) ?? now));
    while (times.length > (rate?.limit ?? 0)) times.shift();
    recent.delete(door);
    for (const old of recent) {
      if ((old.times.at(-1) ?? 0) + (old.rate?.perMs ?? 0) > now) break;
      recent.delete(old);
      forget(old, now);
    }
    recent.add(door);
  }

  function forget(door: Door, now: number): void {
    const last = door.times.at(-1);
    const isRemembered = door.rate !== null && last !== undefined && last + door.rate.perMs > now;
    if (door.held > 0 || door.waiting > 0 || door.due > 0 || isRemembered) return;
    // There may be another of its name by now.
    if (doors.get(door.name) === door) doors.delete(door.name);
  }

  const line = {
    /** The door of a rule, as the rule is now. */
    door(rule: DoorRule): Door {
      const { scope, key, limit, rate } = rule;
      const name = key === null ? scope : `${scope}\n${key}`;
      const known = doors.get(name);
      if (known) {
        known.limit = limit ?? Infinity;
        known.rate = rate ?? null;
        return known;
      }
      const times = rate ? [...recall(name)].sort((one, other) => one - other).slice(-rate.limit) : [];
      const ofRule = rules.get(scope) ?? { waiting: 0 };
      rules.set(scope, ofRule);
      const empty = { held: 0, due: 0, times, waiting: 0, ofRule, queues: new Set<Queue>() };
      const door: Door = { name, scope, key, limit: limit ?? Infinity, rate: rate ?? null, ...empty };
      doors.set(name, door);
      if (times.length > 0) recent.add(door);
      return door;
    },
    /** Doors that were only looked at leave nothing behind. */
    drop(looked: readonly Door[], now: number): void {
      for (const door of looked) forget(door, now);
    },
    /** Whether one that comes now would have to wait. */
    isShut: (wanted: readonly Door[], now: number): boolean =>
      wanted.some((door) => door.queues.size > 0 || !isOpen(door, now)),
    /** Goes in, or waits; gives who goes in now, which may be others as well. */
    enter(id: string, wish: Wish, now: number): string[] {
      if (members.has(id)) return [];
      const member: Member = { id, wish, queue: null, arrival: 0, hasBegun: false };
      members.set(id, member);
      if (!line.isShut(wish.doors, now)) {
        letIn(member);
        return [id];
      }
      enqueue(member, now);
      return fill(wish.doors, now);
    },
    /** All of them wait, in this order, before any of them goes in; gives who goes in then. */
    queue(wishes: readonly { id: string; wish: Wish }[], now: number): string[] {
      const all = new Set<Door>();
      const granted: string[] = [];
      for (const { id, wish } of wishes) {
        if (members.has(id)) continue;
        const member: Member = { id, wish, queue: null, arrival: 0, hasBegun: false };
        members.set(id, member);
        if (wish.doors.length === 0) {
          letIn(member);
          granted.push(id);
          continue;
        }
        enqueue(member, now);
        for (const door of wish.doors) all.add(door);
      }
      return [...granted, ...fill(all, now)];
    },
    /** Is in, whether there is room or not: it was before a restart, and had begun or was about to. */
    hold(id: string, wish: Wish, hasBegun = true): void {
      if (members.has(id)) return;
      const member: Member = { id, wish, queue: null, arrival: 0, hasBegun };
      members.set(id, member);
      for (const door of [...wish.doors, ...(wish.also ?? [])]) if (!door.rate || !hasBegun) letInBy(door);
    },
    /** Who was let in begins, perhaps once more: that time counts for its rates. Gives their doors. */
    begin(id: string, now: number): Door[] {
      const member = members.get(id);
      if (!member || member.queue) return [];
      const begun: Door[] = [];
      for (const own of member.wish.doors) {
        if (!own.rate) continue;
        if (!member.hasBegun) own.due -= 1;
        const door = doors.get(own.name) ?? own;
        doors.set(door.name, door);
        noteBegin(door, now);
        begun.push(door);
      }
      member.hasBegun = true;
      return begun;
    },
    /** It has ended, or waits no longer; gives who goes in now. */
    leave(id: string, now: number): string[] {
      const member = members.get(id);
      if (!member) return [];
      members.delete(id);
      const { doors: waited, also = [] } = member.wish;
      const passed = also.length > 0 ? [...waited, ...also] : waited;
      if (member.queue) {
        unqueue(member, false);
        for (const door of passed) forget(door, now);
        return [];
      }
      for (const door of passed) {
        if (!door.rate) door.held -= 1;
        else if (!member.hasBegun) door.due -= 1;
      }
      const granted = fill(passed, now);
      for (const door of passed) forget(door, now);
      return granted;
    },
    /** One that is in by no name, such as those of before a restart that are only counted, comes or goes. */
    count(door: Door, change: 1 | -1, now: number): string[] {
      door.held += change;
      return fill([door], now);
    },
    /** Time has passed; gives who goes in now. */
    advance: (now: number): string[] => fill(Array.from(timed), now),
    /** When the next door opens by itself. */
    dueAt(): number {
      let dueAt = Infinity;
      for (const door of timed) dueAt = Math.min(dueAt, opensAt(door));
      return dueAt;
    },
    opensAt,
    knows: (id: string): boolean => members.has(id),
    isIn: (id: string): boolean => members.has(id) && members.get(id)?.queue === null,
    waiting: (): number => waiting,
    /** The door that one waits at, and how many would go in before it, and it, if nobody else came. */
    place(id: string): { door: Door; place: number } | undefined {
      const { queue, arrival = 0 } = members.get(id) ?? {};
      if (!queue) return undefined;
      let before = 0;
      let own = 0;
      const others = new Map<Turn, number>();
      for (const other of queue.at.queues) {
        const isOwn = other.turn === queue.turn;
        if (other.priority > queue.priority) before += other.size;
        else if (isOwn) own += other.line.filter((one) => one.queue === other && one.arrival < arrival).length;
        else if (other.priority === queue.priority) {
          others.set(other.turn, (others.get(other.turn) ?? 0) + other.size);
        }
      }
      for (const [turn, count] of others) {
        before += Math.min(count, own + Number(turn.number < queue.turn.number));
      }
      return { door: queue.at, place: before + own + 1 };
    },
    doors: (): readonly Door[] => [...doors.values()],
  };
  return line;
}

function headOf(queue: Queue): Member | undefined {
  while (queue.first < queue.line.length && queue.line[queue.first]?.queue !== queue) queue.first += 1;
  return queue.line[queue.first];
}
