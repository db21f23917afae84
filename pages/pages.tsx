// Which page an address means. To add a page: its row here, its folder beside.

import type { ComponentType } from "preact";
import { client } from "./connection.ts";
import { AgentIcon, ClockIcon, FlowIcon, RunsIcon, SystemIcon, ThreadIcon } from "./parts/icons.tsx";
import { Empty } from "./parts/said.tsx";
import { matched } from "./router.ts";

export type Params = Readonly<Record<string, string>>;
export type PageProps = { readonly params: Params; readonly query: URLSearchParams };
type Row = {
  readonly at: string;
  readonly title: (params: Params) => string;
  /** A page comes when it is wanted for the first time. */
  readonly load: () => Promise<ComponentType<PageProps>>;
};

export const sections = [
  { href: "/executions", name: "Executions", icon: RunsIcon },
  { href: "/workflows", name: "Workflows", icon: FlowIcon },
  { href: "/agents", name: "Agents", icon: AgentIcon },
  { href: "/schedules", name: "Schedules", icon: ClockIcon },
  { href: "/threads", name: "Threads", icon: ThreadIcon },
  { href: "/system", name: "System", icon: SystemIcon },
] as const;

const list = (): Promise<ComponentType<PageProps>> =>
  import("./executions/list-page.tsx").then(({ ListPage }) => ListPage);

const rows: readonly Row[] = [
  { at: "", title: () => "Executions", load: list },
  { at: "/executions", title: () => "Executions", load: list },
  {
    at: "/executions/:exec_id",
    title: ({ exec_id }) => `Execution ${exec_id ?? ""}`,
    load: async () => {
      const { ExecutionPage } = await import("./execution/page.tsx");
      return ({ params }) => <ExecutionPage execId={params["exec_id"] ?? ""} client={client} />;
    },
  },
  {
    at: "/open",
    title: () => "An exported execution",
    load: async () => {
      const { FilePage } = await import("./execution/page.tsx");
      return () => <FilePage />;
    },
  },
  {
    at: "/workflows",
    title: () => "Workflows",
    load: () => import("./definitions/workflows-page.tsx").then(({ WorkflowsPage }) => WorkflowsPage),
  },
  {
    at: "/workflows/:id",
    title: ({ id }) => id ?? "",
    load: () => import("./definitions/workflow-page.tsx").then(({ WorkflowPage }) => WorkflowPage),
  },
  {
    at: "/workflows/:id/start",
    title: ({ id }) => `Start ${id ?? ""}`,
    load: () => import("./start/start-page.tsx").then(({ StartPage }) => StartPage),
  },
  {
    at: "/agents",
    title: () => "Agents, tools and runtimes",
    load: () => import("./definitions/agents-page.tsx").then(({ AgentsPage }) => AgentsPage),
  },
  {
    at: "/schedules",
    title: () => "Schedules",
    load: () => import("./system/schedules-page.tsx").then(({ SchedulesPage }) => SchedulesPage),
  },
  {
    at: "/threads",
    title: () => "Threads",
    load: () => import("./system/threads-page.tsx").then(({ ThreadsPage }) => ThreadsPage),
  },
  {
    at: "/threads/:thread_id",
    title: ({ thread_id }) => `Thread ${thread_id ?? ""}`,
    load: () => import("./system/thread-page.tsx").then(({ ThreadPage }) => ThreadPage),
  },
  {
    at: "/system",
    title: () => "System",
    load: () => import("./system/system-page.tsx").then(({ SystemPage }) => SystemPage),
  },
];

const nowhere = async (): Promise<ComponentType<PageProps>> => NotFound;

function NotFound() {
  return (
    <div class="panel">
      <Empty title="There is no such page" command="npx troupe list">
        Nothing is at <code>{location.pathname}</code>. <a href="/executions">All executions</a> are a good place to go
        on; on the command line it is
      </Empty>
    </div>
  );
}

/** Kept, so that a page that is there already is the same one. */
const wrapped = new Map<Row, Row["load"]>();

export function pageOf(path: string): Omit<Row, "at"> & { params: Params } {
  for (const row of rows) {
    const params = matched(row.at, path);
    if (!params) continue;
    const load = wrapped.get(row) ?? once(row.load);
    wrapped.set(row, load);
    return { title: row.title, load, params };
  }
  return { title: () => "No such page", load: nowhere, params: {} };
}

function once(load: Row["load"]): Row["load"] {
  let loaded: ReturnType<Row["load"]> | undefined;
  return () => {
    loaded ??= load().catch((error: unknown) => {
      loaded = undefined;
      throw error;
    });
    return loaded;
  };
}
