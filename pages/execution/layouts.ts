// Layouts as they are needed: worked out once per chart, kept in memory and in the browser's database.
//
//   memory ── not there ──▶ IndexedDB ── not there ──▶ worker ──▶ both

import ELK from "elkjs/lib/elk-api.js";
import type { ChartGraph } from "./graph.ts";
import { type Direction, type Drawing, drawingOf, type ElkNode, elksOf, layoutKey, type Measure } from "./layout.ts";

const inMemory = new Map<string, Promise<Drawing>>();

export function layoutOf(graph: ChartGraph, direction: Direction): Promise<Drawing> {
  const key = layoutKey(graph, direction);
  const known = inMemory.get(key);
  if (known) return known;
  const made = kept(key).then(async (drawing) => {
    if (drawing) return drawing;
    const fresh = drawingOf(graph, direction, await Promise.all(elksOf(graph, direction, measure).map(inWorker)));
    void keep(key, fresh);
    return fresh;
  });
  inMemory.set(key, made);
  // What failed may be tried again.
  made.catch(() => inMemory.delete(key));
  return made;
}

const fonts = { title: "600 13px", words: "400 11.5px", label: "500 11px" } as const;
let canvas: CanvasRenderingContext2D | null | undefined;

const measure: Measure = (text, face) => {
  canvas ??= document.createElement("canvas").getContext("2d");
  if (!canvas) return text.length * 7;
  canvas.font = `${fonts[face]} ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;
  return canvas.measureText(text).width;
};

// ── the worker ──

type Elk = { layout(graph: ElkNode): Promise<ElkNode> };
let elk: Elk | undefined;

function inWorker(graph: ElkNode): Promise<ElkNode> {
  elk ??= new ELK.default({ workerFactory: () => new Worker(LAYOUT_WORKER_URL, { type: "module" }) }) as unknown as Elk;
  return elk.layout(graph);
}

// ── the browser's database; where there is none, or it refuses, memory alone will do ──

const database = "troupe-layouts";
const table = "drawings";
const keptMax = 200;
let opened: Promise<IDBDatabase | undefined> | undefined;

function open(): Promise<IDBDatabase | undefined> {
  opened ??= new Promise((done) => {
    const request = indexedDB.open(database, 1);
    request.addEventListener("upgradeneeded", () => void request.result.createObjectStore(table));
    request.addEventListener("success", () => done(request.result));
    request.addEventListener("error", () => done(undefined));
    request.addEventListener("blocked", () => done(undefined));
  });
  return opened;
}

async function kept(key: string): Promise<Drawing | undefined> {
  const base = await open();
  if (!base) return undefined;
  return new Promise((done) => {
    const request = base.transaction(table).objectStore(table).get(key);
    request.addEventListener("success", () => done(request.result as Drawing | undefined));
    request.addEventListener("error", () => done(undefined));
  });
}

async function keep(key: string, drawing: Drawing): Promise<void> {
  const base = await open();
  if (!base) return;
  const drawings = base.transaction(table, "readwrite").objectStore(table);
  const count = drawings.count();
  count.addEventListener("success", () => {
    if (count.result >= keptMax) drawings.clear();
    drawings.put(drawing, key);
  });
}
