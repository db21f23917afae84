// Who listens to a troupe from outside: what they do, and fail to do, is their own affair.

import { frozen } from "../language/function.ts";
import type { Options } from "./options.ts";

/** Whoever listens may fail: that is his own affair, and stops nobody else from hearing. */
export const guardedBy =
  (log: NonNullable<Options["log"]>) =>
  <T>(listener: (heard: T) => void) =>
  (heard: T): void => {
    try {
      listener(frozen(heard));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log("error", "a listener failed", { reason });
    }
  };
