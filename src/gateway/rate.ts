// How often each client may ask: a bucket each, filled at a steady rate, emptied by requests.
//
// Invariants:
//   RT1. In any span of time a client gets no more than a burst and what the span has filled.
//   RT2. No more clients are remembered than may be, whoever comes; one that is forgotten begins with a full bucket.

/** In thousandths of a request: whole numbers, so that nothing is lost by adding up. */
type Bucket = { left: number; at: number };
const thousandths = 1_000;

export function openRate(given: { perSecond: number; burst: number; clients: number; now: () => number }) {
  const { perSecond, clients, now } = given;
  const full = given.burst * thousandths;
  // In the order of their last request.
  const buckets = new Map<string, Bucket>();

  return {
    /** Takes so much from a client's bucket; gives in how many milliseconds there is enough, 0 if it was. */
    take(client: string, cost = 1): number {
      const at = now();
      const wanted = cost * thousandths;
      const known = buckets.get(client);
      buckets.delete(client);
      // A clock that was set back fills nothing, and takes nothing away.
      const left = known ? Math.min(full, known.left + Math.max(0, at - known.at) * perSecond) : full;
      const isEnough = left >= wanted;
      buckets.set(client, { left: isEnough ? left - wanted : left, at });
      if (buckets.size > clients) buckets.delete(buckets.keys().next().value ?? client);
      return isEnough ? 0 : Math.ceil((wanted - left) / perSecond);
    },
    size: (): number => buckets.size,
  };
}

/** By the address a client comes from: of IPv6 by its network, for one machine has all addresses in it. */
export function clientAt(address: string | undefined): string {
  const plain = (address ?? "").replace(/^::ffff:(?=\d+\.)/, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [before = "", after] = plain.split("::");
  const head = before.split(":").filter((part) => part !== "");
  const tail = (after ?? "").split(":").filter((part) => part !== "");
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  return [...head, ...Array.from({ length: zeros }, () => "0"), ...tail].slice(0, 4).join(":");
}
