// How any part says what is worth a line of the log: who opens it decides where that goes.

export type Level = "debug" | "info" | "warn" | "error";

export type Report<L = Level> = (level: L, message: string, fields: Readonly<Record<string, unknown>>) => void;
