// What a delivery from outside starts: looked up by its path, held against its signature, and begun once.
//
//   path ─▶ size ─▶ signature ─▶ JSON ─▶ `when` ─▶ `with`, `dedupe` ─▶ start ─ on disk ─▶ 202
//
// A signature covers the body and nothing else, and is good for ever: whoever has seen a delivery can send it again.
// `dedupe` is what stops that, for a day; let it be a part of the body, for headers are not signed.
//
// Invariants:
//   H1. Nothing of a body is read before its signature is found right; the comparison takes as long for any wrong one.
//   H2. What is answered with an execution is on disk.
//   H3. Within a day a delivery with the same `dedupe` starts nothing again, wherever the process is killed.
//   H4. No secret, and nothing of a body, stands in what is answered or reported.

import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Workflow } from "../actors/definition.ts";
import type { Limits } from "../actors/limits.ts";
import type { Scope, WebhookSpec } from "../language/spec.ts";
import { evaluate } from "../language/template.ts";
import { traceIdOf, traceOf } from "../protocol/envelope.ts";
import { fromUnknown, TroupeError } from "../protocol/errors.ts";
import { readJson } from "../protocol/json.ts";
import { clip } from "../protocol/refusal.ts";
import { anyText, checkArgument, checkFields, object, type Rule } from "./arguments.ts";
import type { Handle, openDesk } from "./desk.ts";
import type { Options } from "./options.ts";

/** As it came over HTTP. */
export type Delivery = {
  /** The last part of `/api/hooks/<path>`. */
  path: string;
  /** Names in any case. */
  headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The bytes as they came: they are what is signed. */
  body: Uint8Array;
  query?: Readonly<Record<string, string>>;
};

/** The HTTP status, and what was started; nothing if the delivery was ignored. */
export type Receipt = { status: 202; execId?: string; duplicate?: boolean };

type Means = {
  workflows: ReadonlyMap<string, Workflow>;
  engage: ReturnType<typeof openDesk>["engage"];
  accepted: ReturnType<typeof openDesk>["accepted"];
  limits: Limits;
  /** A secret by its name. */
  secret: (name: string) => string | undefined;
  now: () => number;
  report: NonNullable<Options["log"]>;
};

const dedupeCharsMax = 128;

export function openWebhooks({ workflows, engage, accepted, limits, secret, now, report }: Means) {
  function find(path: string): { workflow: string; spec: WebhookSpec } {
    for (const { id, spec } of workflows.values()) {
      for (const one of spec.triggers ?? []) {
        if (one.type === "webhook" && one.path === path && one.enabled !== false) return { workflow: id, spec: one };
      }
    }
    throw new TroupeError("WORKFLOW_NOT_FOUND", `no webhook has the path '${clip(path)}'`, { path: clip(path) });
  }

  function verify({ verify: rule = "none", path }: WebhookSpec, headers: Headers, body: Uint8Array): void {
    if (rule === "none") return;
    const key = secret(rule.secret);
    if (key === undefined || key === "") {
      // Fails closed, and tells a stranger no more than a wrong signature would.
      const fields = { path, secret: rule.secret };
      report("error", "a webhook cannot be verified: its secret is not in the environment", fields);
      throw unsigned(rule.header);
    }
    const name = rule.header.toLowerCase();
    const sent = Object.hasOwn(headers, name) ? headers[name] : undefined;
    const given = Buffer.from(sent?.match(signatureForm)?.[1] ?? "", "hex");
    const right = createHmac("sha256", key).update(body).digest();
    // What has another length is compared too, with itself.
    const isRight = timingSafeEqual(right, given.length === right.length ? given : right);
    if (!isRight || given.length !== right.length) throw unsigned(rule.header);
  }

  /** Evaluates one of its templates. */
  function worked(what: string, value: WebhookSpec["with"], scope: Scope): unknown {
    try {
      return evaluate(value, scope);
    } catch (thrown) {
      const { code, message } = fromUnknown(thrown);
      throw new TroupeError("VALIDATION_FAILED", `\`${what}\` of the webhook cannot be told from this: ${message}`, {
        cause_code: code,
      });
    }
  }

  function start(workflow: string, spec: WebhookSpec, scope: Scope): Handle | undefined {
    if (spec.when !== undefined) {
      const isWanted = worked("when", spec.when, scope);
      if (typeof isWanted !== "boolean") {
        throw new TroupeError("VALIDATION_FAILED", "`when` of the webhook must give true or false");
      }
      if (!isWanted) return undefined;
    }
    const input = spec.with === undefined ? scope.body : worked("with", spec.with, scope);
    const dedupe = spec.dedupe === undefined ? null : worked("dedupe", spec.dedupe, scope);
    const trace = traceOf(scope["headers"] as Headers);
    const options = {
      ...(dedupe !== null && { idempotencyKey: keyOf(spec.path, dedupe) }),
      ...(traceIdOf(trace) !== undefined && { trace }),
    };
    return engage(workflow, input, options, { trigger: "webhook" });
  }

  return {
    /** Takes a delivery; what cannot be taken is thrown, with a code that says which HTTP status it is. */
    async receive(delivery: Delivery): Promise<Receipt> {
      checkFields(delivery, rules, "this delivery cannot be");
      const { path, headers: given, body, query = {} } = delivery;
      checkArgument("path", path, rules.path);
      checkArgument("body", body, rules.body);
      const { workflow, spec } = find(path);
      if (body.byteLength > limits.payloadBytes) throw tooLarge(body.byteLength, limits.payloadBytes);
      const headers = lowered(given ?? {});
      verify(spec, headers, body);
      const content = contentOf(body, limits.payloadBytes);
      const parts = { body: content, headers, query };
      const scope = { input: parts, tasks: {}, ...parts, now: now() } as unknown as Scope;
      try {
        const handle = start(workflow, spec, scope);
        if (!handle) return { status: 202 };
        await handle.accepted();
        return { status: 202, execId: handle.execId, duplicate: handle.duplicate };
      } catch (thrown) {
        const { code, details } = fromUnknown(thrown);
        const { exec_id } = details;
        // The same delivery, by its own account, in other words.
        if (code !== "IDEMPOTENCY_CONFLICT" || typeof exec_id !== "string") throw thrown;
        await accepted(exec_id);
        return { status: 202, execId: exec_id, duplicate: true };
      }
    },
  };
}

const bytes: Rule = { is: (value) => value instanceof Uint8Array, says: "must be bytes" };
const rules = { path: anyText, headers: object, body: bytes, query: object } as const;

type Headers = Readonly<Record<string, string>>;

const signatureForm = /^(?:sha256=)?([0-9a-f]{64})$/i;

const unsigned = (header: string): TroupeError =>
  new TroupeError("UNAUTHENTICATED", `the header '${header}' does not hold the signature of this body`);

const tooLarge = (bytes: number, max: number): TroupeError =>
  new TroupeError("PAYLOAD_TOO_LARGE", `the body has ${bytes} bytes, at most ${max} are allowed`, {
    limit: "payloadBytes",
    max,
    bytes,
  });

/** Some send nothing but the fact that they do. */
function contentOf(body: Uint8Array, sizeBytesMax: number): unknown {
  if (body.byteLength === 0) return {};
  try {
    return readJson(body, { sizeBytesMax, depthMax: bodyDepthMax });
  } catch (thrown) {
    const message = `the body cannot be read as JSON: ${fromUnknown(thrown).message}`;
    throw new TroupeError("VALIDATION_FAILED", message, {}, { cause: thrown });
  }
}
const bodyDepthMax = 100;

function lowered(headers: NonNullable<Delivery["headers"]>): Headers {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) texts[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : String(value);
  }
  return texts;
}

function keyOf(path: string, dedupe: unknown): string {
  const text = typeof dedupe === "string" ? dedupe : JSON.stringify(dedupe);
  const short = text.length <= dedupeCharsMax ? text : createHash("sha256").update(text).digest("hex");
  return `webhook/${path}/${short}`;
}
