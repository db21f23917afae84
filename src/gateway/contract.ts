// The HTTP interface as one table: from it come the server, its validation, the OpenAPI document, the client and the
// command line.
//
// To add an operation: its line in contract-paths.ts, its row in one of contract-*.ts, its answer in answers-*.ts.

import { daemonRoutes } from "./contract-daemon.ts";
import { definitionRoutes } from "./contract-definitions.ts";
import { executionRoutes } from "./contract-executions.ts";
import type { Operation } from "./contract-paths.ts";
import type { Route } from "./contract-route.ts";
import { runRoutes } from "./contract-runs.ts";

export type { Operation } from "./contract-paths.ts";
export type { Route } from "./contract-route.ts";

export const routes = { ...daemonRoutes, ...executionRoutes, ...runRoutes, ...definitionRoutes } satisfies Record<
  Operation,
  Route
>;
export type Routes = typeof routes;
