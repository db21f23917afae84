// Where a page of rows ended, as a word that the next question carries.

import { TroupeError } from "../protocol/errors.ts";

/** Rows are ordered by time of creation, then by id. */
export type Place = { createdAt: number; execId: string };

export const toCursor = ({ createdAt, execId }: Place): string => `${createdAt}_${execId}`;

export function fromCursor(cursor: string): Place {
  const [, createdAt, execId] = /^(\d{1,16})_(.+)$/.exec(cursor) ?? [];
  if (createdAt === undefined || execId === undefined) {
    throw new TroupeError("VALIDATION_FAILED", "`after` is not a cursor of an earlier page", { after: cursor });
  }
  return { createdAt: Number(createdAt), execId };
}

/** Negative if the first comes before the second, oldest first. Ids compare by code unit, as their bytes do. */
export const comparePlaces = (one: Place, other: Place): number =>
  one.createdAt - other.createdAt || (one.execId < other.execId ? -1 : Number(one.execId > other.execId));
