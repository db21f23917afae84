// Which executions are wanted, as the address says it: what can be shared is what is in there.

import { refine } from "../router.ts";

export const kinds = ["workflows", "tasks", "agents", "tools"] as const;
export type Kind = (typeof kinds)[number];

export const statusesOf: Readonly<Record<Kind, readonly string[]>> = {
  workflows: ["PENDING", "RUNNING", "PAUSED", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"],
  tasks: ["PENDING", "RUNNING", "WAITING", "SUCCESS", "FAILED", "TIMED_OUT", "CANCELED"],
  agents: ["RUNNING", "SUCCESS", "FAILED", "CANCELED"],
  tools: ["RUNNING", "SUCCESS", "FAILED", "CANCELED"],
};

const spans = { "15m": 900_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000 };
export const spanWords: Readonly<Record<string, string>> = {
  "15m": "last 15 minutes",
  "1h": "last hour",
  "24h": "last 24 hours",
  "7d": "last 7 days",
  "30d": "last 30 days",
};

export type Filters = {
  readonly kind: Kind;
  readonly status: readonly string[];
  readonly id: string;
  readonly label: string;
  readonly text: string;
  /** A span until now, or exact times. */
  readonly since: string;
  readonly from: string;
  readonly until: string;
  readonly order: "newest" | "oldest";
};

export function filtersIn(query: URLSearchParams): Filters {
  const text = (name: string): string => query.get(name) ?? "";
  const kind = kinds.find((one) => one === text("kind")) ?? "workflows";
  return {
    kind,
    status: text("status")
      .split(",")
      .filter((one) => statusesOf[kind].includes(one)),
    id: text("id"),
    label: text("label"),
    text: text("text"),
    since: Object.hasOwn(spans, text("since")) ? text("since") : "",
    from: text("from"),
    until: text("until"),
    order: text("order") === "oldest" ? "oldest" : "newest",
  };
}

export const isNarrowed = ({ status, id, label, text, since, from, until }: Filters): boolean =>
  status.length > 0 || [id, label, text, since, from, until].some((one) => one !== "");

export const noFilters = { status: "", id: "", label: "", text: "", since: "", from: "", until: "" };

export const setFilter = (change: Readonly<Record<string, string>>): void => refine(change);

export const labelPattern = /^[^:]{1,64}:./;

/** As a query of the API, without the statuses: those are counted. */
export function withoutStatus({ id, label, text, since, from, until }: Filters) {
  const span = spans[since as keyof typeof spans];
  const isTime = (one: string): boolean => one !== "" && !Number.isNaN(Date.parse(one));
  const begins =
    span !== undefined ? new Date(Date.now() - span).toISOString() : isTime(from) ? isoOf(from) : undefined;
  return {
    ...(id !== "" && { id }),
    ...(labelPattern.test(label) && { label: [label] }),
    ...(text.trim() !== "" && { text: text.trim() }),
    ...(begins !== undefined && { created_from: begins }),
    ...(isTime(until) && span === undefined && { created_until: isoOf(until) }),
  };
}
const isoOf = (text: string): string => new Date(text).toISOString();

export const statusOf = ({ status }: Filters) => (status.length > 0 ? { status: [...status] as never[] } : {});

/** The same for a command to many. */
export function selectionOf(filters: Filters) {
  const { label, ...rest } = withoutStatus(filters);
  const [name = "", ...value] = (label?.[0] ?? "").split(":");
  return { ...rest, ...statusOf(filters), ...(label && { labels: { [name]: value.join(":") } }) };
}
