// Does one thing with a parcel, and takes its time: long enough to kill the process in the midst of it.

import { setTimeout as pass } from "node:timers/promises";

type Job = { do: string; seconds: number };
type Context = { signal: AbortSignal; attempt: number };

export async function handle(job: Job, { signal }: Context): Promise<{ done: string }> {
  if (job.seconds > 0) await pass(job.seconds * 1_000, undefined, { signal });
  return { done: job.do };
}
