// Goal: the example programs keep every rule of the conformance kit, and get in wherever a server lets them.
//
// Method: the kit's own command against each program; servers with TLS, names, tokens and keys; and for the signature
// in Python another implementation that has to agree with it.

import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type ConnectionOptions, nkeys } from "@nats-io/transport-node";
import { afterAll, describe, expect } from "vitest";
import { findNatsServer } from "../../src/transport/nats-server.ts";
import { writeCertificate } from "../kit/certificate.ts";
import { endAll, spawnTroupe } from "../kit/process.ts";
import { begin, folderOf, languages, programs, until, withRuntimes } from "./bed.ts";

const directory = mkdtempSync(join(tmpdir(), "troupe-runtimes-"));
const ends: (() => void)[] = [];
afterAll(async () => {
  for (const end of ends) end();
  await endAll();
  rmSync(directory, { recursive: true, force: true });
});

describe.each(languages)("the program in %s", (language) => {
  withRuntimes("keeps every rule of the protocol", [language], async () => {
    const command = programs[language].run.join(" ");
    const kit = spawnTroupe(["runtime-test", "--command", command, "--tool", "conformance"], { limitMs: 110_000 });
    const { code, stdout, stderr } = await kit.ended;
    const broken = stdout.split("\n").filter((line) => /^[✗–]/.test(line));
    expect({ code, broken }, stdout + stderr).toEqual({ code: 0, broken: [] });
    expect(stdout).toMatch(/\b[1-9]\d* rules kept, 0 broken, 0 not tried/);
  });
});

const seedOf = (pair: ReturnType<typeof nkeys.createUser>): string => new TextDecoder().decode(pair.getSeed());
const user = nkeys.createUser();
const seedFile = join(directory, "user.nk");
writeFileSync(seedFile, `${seedOf(user)}\n`);
const { cert_file: certificate, key_file: key } = writeCertificate(directory);

type Door = { name: string; configuration: string; environment: Record<string, string>; options: ConnectionOptions };
const doors: Door[] = [
  {
    name: "a name and a password, over TLS",
    configuration: `authorization { user: ada, password: "p w" }
      tls { cert_file: "${certificate}", key_file: "${key}" }`,
    environment: { NATS_USER: "ada", NATS_PASSWORD: "p w", NATS_CA: certificate },
    options: { user: "ada", pass: "p w", tls: { caFile: certificate } },
  },
  {
    name: "a token",
    configuration: "authorization { token: s3cret }",
    environment: { NATS_TOKEN: "s3cret" },
    options: { token: "s3cret" },
  },
  {
    name: "a key",
    configuration: `authorization { users: [ { nkey: ${user.getPublicKey()} }, { user: ear, password: ear } ] }`,
    environment: { NATS_NKEY: seedFile },
    options: { user: "ear", pass: "ear" },
  },
];

/** A server of its own without streams; gives its port. */
async function serve(name: string, configuration: string): Promise<number> {
  const folder = mkdtempSync(join(directory, "server-"));
  const file = join(folder, "server.conf");
  writeFileSync(file, `host: 127.0.0.1\nport: -1\nports_file_dir: ${JSON.stringify(folder)}\n${configuration}\n`);
  const child = spawn(findNatsServer().binary, ["-c", file], { stdio: "ignore" });
  ends.push(() => child.kill("SIGKILL"));
  const ports = join(folder, `nats-server_${child.pid}.ports`);
  await until(() => expect(existsSync(ports), name).toBe(true));
  return until(() => {
    const { nats, tls = nats } = JSON.parse(readFileSync(ports, "utf8")) as { nats: string[]; tls?: string[] };
    return Number(new URL(tls[0] ?? "").port);
  });
}

describe.each(languages)("the program in %s gets in", (language) => {
  for (const { name, configuration, environment, options } of doors) {
    withRuntimes(`with ${name}`, [language], async () => {
      const port = await serve(name, configuration);
      const listener = await connect({ ...options, servers: `localhost:${port}` });
      const registrations: string[] = [];
      listener.subscribe("doors.events.agent_runtime.instance.*.registered", {
        callback: (_error, message) => void registrations.push(message.subject),
      });
      await listener.flush();
      const scheme = configuration.includes("tls") ? "tls" : "nats";
      const place = { NATS_URL: `${scheme}://localhost:${port}`, TROUPE_PREFIX: "doors" };
      const { said } = begin(language, { ...place, ...environment });
      await until(() => expect(registrations.length, said()).toBeGreaterThan(0));
      await listener.close();
    });
  }

  withRuntimes("nowhere where it may not hear its orders, and says so", [language], async () => {
    const permissions = `permissions: { subscribe: { deny: "*.commands.agent_runtime.>" } }`;
    const port = await serve("deaf", `authorization { users: [ { user: ada, password: ada, ${permissions} } ] }`);
    const { ended, said } = begin(language, { NATS_URL: `nats://ada:ada@localhost:${port}` });
    expect(await ended).toBe(1);
    expect(said()).toContain("Permissions Violation for Subscription");
  });

  withRuntimes("nowhere that shows a certificate of nobody it trusts", [language], async () => {
    const port = await serve("untrusted", `tls { cert_file: "${certificate}", key_file: "${key}" }`);
    const { said } = begin(language, { NATS_URL: `tls://localhost:${port}`, TROUPE_PREFIX: "untrusted" });
    await until(() => expect(said()).toMatch(/certificate|SSL|trying again/i));
    expect(said()).not.toMatch(/connected$|registered|serving/m);
  });

  withRuntimes("nowhere with the wrong key, and says so", [language], async () => {
    const port = await serve("a key", doors[2]?.configuration ?? "");
    const wrong = join(directory, "wrong.nk");
    writeFileSync(wrong, seedOf(nkeys.createUser()));
    const { ended, said } = begin(language, { NATS_URL: `nats://localhost:${port}`, NATS_NKEY: wrong });
    expect(await ended).toBe(1);
    expect(said().toLowerCase()).toContain("authorization violation");
  });
});

/** What Python says of a seed and a message: its public key, and its signature. */
function signedInPython(seed: string, nonce: string): { public: string; sig: string } {
  const script = "import json, sys, nkeys; s = nkeys.from_seed(sys.argv[1]); a = s.answer(sys.argv[2])";
  const printed = `${script}; print(json.dumps({"public": s.public, "sig": a["sig"]}))`;
  const said = execFileSync("python3", ["-c", printed, seed, nonce], {
    cwd: folderOf("python"),
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
    encoding: "utf8",
    stdio: "pipe",
  });
  return JSON.parse(said) as { public: string; sig: string };
}

describe("keys in plain Python", () => {
  withRuntimes("sign as Ed25519 does, for any seed", ["python"], async () => {
    for (let round = 0; round < 8; round++) {
      const pair = nkeys.createUser();
      const nonce = randomBytes(round * 3).toString("base64url");
      const { public: name, sig } = signedInPython(seedOf(pair), nonce);
      expect(name).toBe(pair.getPublicKey());
      expect(pair.verify(Buffer.from(nonce), Buffer.from(sig, "base64url"))).toBe(true);
    }
  });

  withRuntimes("are refused when they are none", ["python"], async () => {
    const seed = seedOf(nkeys.createUser());
    const damaged = `${seed.slice(0, 20)}${seed[20] === "A" ? "B" : "A"}${seed.slice(21)}`;
    const account = new TextDecoder().decode(nkeys.createAccount().getSeed());
    for (const wrong of ["", "nonsense!", damaged, account]) {
      expect(() => signedInPython(wrong, "n"), wrong).toThrow("ValueError");
    }
  });
});
