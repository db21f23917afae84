// The pages, from the folder they were built into; every other path is a page of theirs too, and drawn by them.
//
// Names with a hash are kept by browsers for good. What is worth it goes out compressed, and is compressed once.

import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { FastifyReply, FastifyRequest } from "fastify";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".woff2": "font/woff2",
};
const packed = new Set([".html", ".js", ".css", ".json", ".map", ".svg", ".txt"]);
const packedBytesMin = 1_024;
const yearS = 31_536_000;
/** It brings images as data, and shows them nowhere else. */
const swaggerPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'self'; " +
  "frame-ancestors 'none'; object-src 'none'";
const swaggerPath = "swagger.ui";

type Coding = "br" | "gzip";
type File = { bytes: Buffer; type: string; isHashed: boolean; coded: Map<Coding, Promise<Buffer>> };

const notBuilt =
  "troupe is running, and its pages have not been built.\n\n" +
  "  npm run pages      builds them; then load this page again\n" +
  "  GET /api/          says what can be asked of it meanwhile\n";

export function openPages(folder: string | undefined) {
  let files = new Map<string, File>();
  let builtAt = -1;

  /** Read when they are first asked for, and anew once they were built anew. */
  function look(): void {
    const index = folder === undefined ? undefined : join(folder, "index.html");
    if (folder === undefined || index === undefined || !existsSync(index)) {
      files = new Map();
      builtAt = -1;
      return;
    }
    const { mtimeMs } = statSync(index);
    if (mtimeMs === builtAt) return;
    builtAt = mtimeMs;
    files = new Map(
      readdirSync(resolve(folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => {
          const path = join(entry.parentPath, entry.name);
          const name = path.slice(resolve(folder).length + 1).replaceAll("\\", "/");
          const type = types[extname(name)] ?? "application/octet-stream";
          return [name, { bytes: readFileSync(path), type, isHashed: name.startsWith("assets/"), coded: new Map() }];
        }),
    );
  }

  async function give(reply: FastifyReply, request: FastifyRequest, name: string, file: File): Promise<unknown> {
    const coding =
      file.bytes.byteLength >= packedBytesMin && packed.has(extname(name)) ? codingFor(request) : undefined;
    void reply
      .type(file.type)
      .header("cache-control", file.isHashed ? `public, max-age=${yearS}, immutable` : "no-cache")
      .header("vary", "accept-encoding");
    if (name.startsWith(`${swaggerPath}/`)) void reply.header("content-security-policy", swaggerPolicy);
    if (coding === undefined) return reply.send(file.bytes);
    let bytes = file.coded.get(coding);
    if (!bytes) file.coded.set(coding, (bytes = code(coding, file.bytes)));
    return reply.header("content-encoding", coding).send(await bytes);
  }

  return {
    /** Whatever path is asked for that is none of the interface's. */
    async serve(request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
      look();
      const name = nameIn(request.url);
      if (name === swaggerPath && files.has(`${swaggerPath}/index.html`))
        return reply.redirect(`/${swaggerPath}/`, 308);
      const wanted = name === "" || name.endsWith("/") ? `${name}index.html` : name;
      const file = files.get(wanted);
      if (file) return give(reply, request, wanted, file);
      // A file of an earlier build is gone: a page in its place would be taken for it.
      const index = name.startsWith("assets/") || name.startsWith(swaggerPath) ? undefined : files.get("index.html");
      if (index) return give(reply, request, "index.html", index);
      return reply
        .code(404)
        .type("text/plain; charset=utf-8")
        .send(builtAt === -1 ? notBuilt : "there is no such file\n");
    },
  };
}

function nameIn(url: string): string {
  const [path = ""] = url.split("?");
  try {
    return decodeURIComponent(path).slice(1);
  } catch {
    // What cannot be decoded names nothing.
    return "";
  }
}

function codingFor({ headers }: FastifyRequest): Coding | undefined {
  const accepted = String(headers["accept-encoding"] ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => !/;\s*q=0(?:\.0*)?$/.test(one))
    .map((one) => one.split(";")[0]);
  return accepted.includes("br") ? "br" : accepted.includes("gzip") ? "gzip" : undefined;
}

const brotliQuality = 9;

const code = (coding: Coding, bytes: Buffer): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const done = (error: Error | null, coded: Buffer): void => (error ? reject(error) : resolve(coded));
    if (coding === "gzip") gzip(bytes, { level: 9 }, done);
    else brotliCompress(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } }, done);
  });
