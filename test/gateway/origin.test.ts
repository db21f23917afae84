// Goal: what was meant for another daemon, or sent by a page of another origin, is told from what is in order.
// Method: requests as Node gives them, one after the other.

import { describe, expect, test } from "vitest";
import { checkHost, checkOrigin, originsOf } from "../../src/gateway/origin.ts";

const origins = originsOf({ hosts: ["Troupe.example.org"], origins: ["https://board.example.org/"] });

const requestOf = (headers: Record<string, string>, method = "GET") => ({
  headers,
  method,
  rawHeaders: Object.entries(headers).flat(),
});
const isHost = (host: string): boolean => passes(() => checkHost(requestOf({ host }), origins));
const isOrigin = (origin: string, host = "localhost:7420"): boolean =>
  passes(() => checkOrigin(requestOf({ host, origin }, "POST"), origins));

function passes(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "FORBIDDEN" });
    return false;
  }
}

describe("the host", () => {
  test("OG1: this machine, an address and a known name are this daemon's", () => {
    const own = ["localhost", "localhost:7420", "127.0.0.1:1", "[::1]:7420", "192.168.1.7", "TROUPE.example.org:443"];
    expect(own.filter((host) => !isHost(host))).toEqual([]);
  });

  test("OG1: any other name is not, however it looks", () => {
    const foreign = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:7420"];
    const odd = ["", "localhost@evil", "localhost:7420:1", "a b", "[evil]", "localhost/", "0x7f.1", "localhost."];
    expect([...foreign, ...odd].filter(isHost)).toEqual([]);
    expect(passes(() => checkHost(requestOf({}), origins))).toBe(false);
  });

  test("OG1: of two nobody knows which is meant", () => {
    const request = { headers: { host: "localhost" }, rawHeaders: ["Host", "localhost", "hOST", "localhost"] };
    expect(passes(() => checkHost(request, origins))).toBe(false);
  });
});

describe("the origin", () => {
  test("OG2: the same origin and an allowed one may call, also where TLS ends before the daemon", () => {
    expect(isOrigin("http://localhost:7420")).toBe(true);
    expect(isOrigin("https://troupe.example.org", "troupe.example.org")).toBe(true);
    expect(isOrigin("https://troupe.example.org", "troupe.example.org:443")).toBe(true);
    expect(isOrigin("http://localhost", "localhost:80")).toBe(true);
    expect(isOrigin("https://board.example.org")).toBe(true);
    expect(checkOrigin(requestOf({ host: "localhost", origin: "https://board.example.org" }), origins)).not.toBeNull();
    expect(checkOrigin(requestOf({ host: "localhost", origin: "http://localhost" }), origins)).toBeNull();
  });

  test("OG2: another port, another name for this machine, and what is no origin may not", () => {
    const foreign = ["http://localhost", "http://localhost:8080", "http://127.0.0.1:7420", "https://evil.example"];
    const odd = ["null", "", "file://", "localhost:7420", "http://localhost:7420.evil", "chrome-extension://localhost"];
    expect([...foreign, ...odd].filter((origin) => isOrigin(origin))).toEqual([]);
  });

  test("OG3: a link that is opened shows the page; what another page loads, sends or frames is refused", () => {
    const load = (site: string, mode: string, dest: string, method = "GET"): boolean => {
      const headers = { host: "localhost", "sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest };
      return passes(() => checkOrigin(requestOf(headers, method), origins));
    };
    expect(load("same-origin", "no-cors", "script")).toBe(true);
    expect(load("none", "navigate", "document")).toBe(true);
    expect(load("cross-site", "navigate", "document")).toBe(true);
    expect(load("cross-site", "navigate", "document", "POST")).toBe(false);
    expect(load("cross-site", "navigate", "iframe")).toBe(false);
    expect(load("cross-site", "no-cors", "image")).toBe(false);
    expect(load("same-site", "no-cors", "script")).toBe(false);
    expect(load("something-new", "cors", "empty")).toBe(false);
  });

  test("what is no origin cannot be allowed", () => {
    for (const origin of ["*", "null", "board.example.org", "file:///tmp", ""]) {
      expect(() => originsOf({ hosts: [], origins: [origin] }), origin).toThrow("is no origin");
    }
  });
});
