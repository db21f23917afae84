// A page of a list that is held as a whole: all of it, unless less was asked for.

import { TroupeError } from "../protocol/errors.ts";
import { clip } from "../protocol/refusal.ts";

type Paging = { limit?: number | undefined; cursor?: string | undefined };

export function pageOf<T>(all: readonly T[], { limit = all.length, cursor = "0" }: Paging) {
  if (!/^\d{1,9}$/.test(cursor)) {
    const errors = [{ field: "cursor", message: "must be the `next_cursor` of the page before" }];
    throw new TroupeError("VALIDATION_FAILED", `'${clip(cursor)}' is no cursor of this list`, { errors });
  }
  const end = Number(cursor) + limit;
  return { items: all.slice(Number(cursor), end), next_cursor: end < all.length ? String(end) : null };
}
