// What waits at one subscription: handed out one at a time, in the order it came.

import type { Delivery } from "./transport.ts";

type Place = { readonly delivery: Delivery; next: Place | undefined };

export class WaitingLine {
  #first: Place | undefined;
  #last: Place | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(delivery: Delivery): void {
    const place: Place = { delivery, next: undefined };
    if (this.#last === undefined) this.#first = place;
    else this.#last.next = place;
    this.#last = place;
    this.#length++;
  }

  shift(): Delivery | undefined {
    const first = this.#first;
    if (first === undefined) return undefined;
    this.#first = first.next;
    if (first.next === undefined) this.#last = undefined;
    this.#length--;
    return first.delivery;
  }

  clear(): void {
    this.#first = this.#last = undefined;
    this.#length = 0;
  }
}
