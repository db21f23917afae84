// Writes the report of the day.

export const report = ({ kind }: { kind: string }): { report: string } => ({ report: `the ${kind} report` });
