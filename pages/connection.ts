// Whether the daemon answers, since when not, and the token that it wants: the one place that every request passes.

import { signal } from "@preact/signals";
import { connect } from "../src/gateway/client.ts";

/** "lost": nobody answers; what is shown is as of `asOf`. */
export const connection = signal<"connecting" | "live" | "lost">("connecting");
/** When the daemon was last heard. */
export const asOf = signal(Date.now());
/** Counts how often the connection came back: whoever reads it asks again. */
export const returned = signal(0);
/** Why a token is wanted, or null. */
export const tokenWanted = signal<"none" | "refused" | null>(null);

const tokenKey = "troupe.token";
const token = (): string => sessionStorage.getItem(tokenKey) ?? "";
export function useToken(text: string): void {
  sessionStorage.setItem(tokenKey, text);
  tokenWanted.value = null;
  returned.value += 1;
}

function heard(): void {
  asOf.value = Date.now();
  if (connection.value === "live") return;
  const cameBack = connection.value === "lost";
  connection.value = "live";
  if (cameBack) returned.value += 1;
}

export function lost(): void {
  if (connection.value === "lost") return;
  connection.value = "lost";
  void lookUntilBack();
}

const lookEveryMs = 1_000;
const nap = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function lookUntilBack(): Promise<void> {
  while (connection.value === "lost") {
    await nap(lookEveryMs);
    // A browser writes each failed request to its console: it is asked as seldom as is still quick.
    const answer = await fetch("/api/version", { cache: "no-store" }).catch(() => undefined);
    if (answer && answer.status < 500) heard();
  }
}

const watched: typeof fetch = async (input, init) => {
  const headers = new Headers(init?.headers);
  if (token() !== "") headers.set("authorization", `Bearer ${token()}`);
  try {
    const answer = await fetch(input, { ...init, headers });
    if (answer.status === 401) tokenWanted.value = token() === "" ? "none" : "refused";
    heard();
    return answer;
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) lost();
    throw error;
  }
};

export const client = connect({ url: location.origin, fetch: watched });
export type Client = typeof client;
