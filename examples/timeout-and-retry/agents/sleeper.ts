// Sleeps through its first attempts, until somebody gives up on it.

type Run = { attempt: number; signal: AbortSignal };

export const answer = ({ wakes_at }: { wakes_at: number }, { attempt, signal }: Run): unknown =>
  attempt >= wakes_at
    ? { awake: attempt }
    : new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("woken too late"))));
