// What is due first: alarms in the order of their time, and in the order they were set where the time is the same.
//
// Invariants:
//   H1. first() is the alarm of the earliest time, and among those of one time the one that was set first.
//   H2. What is removed is gone at once and takes no room: a cancelled alarm of next year does not wait for next year.

export type Alarm = { readonly at: number; readonly order: number; readonly act: () => void; place: number };

const removed = -1;

export class AlarmHeap {
  // A binary heap; every alarm knows its place, so that one in the middle is removed without a search.
  readonly #alarms: Alarm[] = [];
  #order = 0;

  get size(): number {
    return this.#alarms.length;
  }

  first(): Alarm | undefined {
    return this.#alarms[0];
  }

  add(at: number, act: () => void): Alarm {
    if (!Number.isFinite(at)) throw new RangeError(`an alarm cannot be set for ${at}`);
    const alarm = { at, order: this.#order++, act, place: this.#alarms.length };
    this.#alarms.push(alarm);
    this.#rise(alarm);
    return alarm;
  }

  /** Whether it was there. */
  remove(alarm: Alarm): boolean {
    const { place } = alarm;
    if (place === removed) return false;
    alarm.place = removed;
    const last = this.#alarms.pop();
    if (last === undefined || last === alarm) return true;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
    return true;
  }

  #rise(alarm: Alarm): void {
    while (alarm.place > 0) {
      const above = this.#alarms[(alarm.place - 1) >> 1];
      if (above === undefined || isBefore(above, alarm)) return;
      this.#swap(above, alarm);
    }
  }

  #sink(alarm: Alarm): void {
    for (;;) {
      const left = this.#alarms[2 * alarm.place + 1];
      const right = this.#alarms[2 * alarm.place + 2];
      const below = left !== undefined && right !== undefined && isBefore(right, left) ? right : left;
      if (below === undefined || isBefore(alarm, below)) return;
      this.#swap(alarm, below);
    }
  }

  #swap(one: Alarm, other: Alarm): void {
    const { place } = one;
    this.#put(one, other.place);
    this.#put(other, place);
  }

  #put(alarm: Alarm, place: number): void {
    alarm.place = place;
    this.#alarms[place] = alarm;
  }
}

const isBefore = (one: Alarm, other: Alarm): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);
