// Lays charts out beside the page, so that the page stays quick: ELK's own worker, which answers what its other half asks.

import "elkjs/lib/elk-worker.min.js";
