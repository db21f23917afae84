// Goal: only what nobody else can reach is taken for this machine.

import { expect, test } from "vitest";
import { isLoopback } from "../../src/protocol/loopback.ts";

test.each(["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.255", "::1", "[::1]", "::ffff:127.0.0.1"])(
  "%s is this machine alone",
  (host) => {
    expect(isLoopback(host)).toBe(true);
  },
);
test.each(["0.0.0.0", "::", "10.0.0.1", "127.0.0.1.example", "127.0.0.256", "127.1", "localhost.example", ""])(
  "%s may be reached by others",
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
