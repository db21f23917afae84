// What the gateway is given by the process that it is a part of, beside the troupe.

export type LogLine = {
  message_id: string;
  log_level: string;
  message: string;
  timestamp: string;
  exec_id: string | null;
  trace_id: string | null;
  context: Record<string, unknown>;
};

/** Which lines are wanted, the newest first. */
export type LogQuery = { limit: number; level?: string; execId?: string; workflow?: string; after?: string };

export type InspectorState = { enabled: boolean; port: number | null; url: string | null };

/** The daemon, as far as it is asked over HTTP. */
export type DaemonDoor = {
  ready(): { ready: boolean; reasons: string[] };
  health(): { status: "ok"; uptime_ms: number; event_loop_lag_ms: number };
  metrics(): Promise<{ contentType: string; text: string }>;
  config(): { key: string; value: unknown; origin: string; default: unknown; about: string }[];
  logLevel(): string;
  setLogLevel(level: string): void;
  /** Newest first. */
  logs(query: LogQuery): { items: LogLine[]; nextCursor: string | null };
  log(messageId: string): LogLine | undefined;
  inspector?: {
    status(): InspectorState;
    set(to: { enabled: boolean; port?: number }): Promise<InspectorState>;
  };
};

/** Every call is cheap; paths as the contract has them, never ids. */
export type GatewayMetrics = {
  answered(method: string, route: string, status: number, ms: number): void;
  refused(reason: string): void;
  connected(kind: "websocket" | "sse", by: 1 | -1): void;
  frame(direction: "in" | "out", type: string): void;
};

/** Conversations, in the shapes of the contract. */
export type ThreadDoor<Listed, Whole> = {
  list(page: { limit: number; after?: string }): Listed | Promise<Listed>;
  /** Throws THREAD_NOT_FOUND. */
  get(threadId: string): Whole | Promise<Whole>;
  remove(threadId: string): void | Promise<void>;
};
