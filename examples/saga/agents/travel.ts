// An airline and a hotel that book and cancel, and a bank that pays up to a thousand.

type Order = { book?: string; cancel?: string };
type Booking = { booking: string } | { canceled: string };

const books =
  (kind: string) =>
  ({ book, cancel }: Order): Booking =>
    cancel === undefined ? { booking: `${kind} to ${book}` } : { canceled: cancel };

export const airline = books("flight");
export const hotel = books("room");

export function bank({ amount }: { amount: number }): { paid: number } {
  if (amount <= 1_000) return { paid: amount };
  throw Object.assign(new Error(`${amount} is more than the card allows`), { code: "CARD_DECLINED" });
}
