// What the build writes into the pages: where the layout of charts is worked out.

/** The address of the built layout-worker.ts; hand it to `new Worker(LAYOUT_WORKER_URL)`. */
declare const LAYOUT_WORKER_URL: string;
