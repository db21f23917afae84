// A project among the options of a troupe: what it adds to them, and how it is kept up to date.
//
// What reads files of people's is loaded only for those who have a project.

import { resolve } from "node:path";
import { TroupeError } from "../protocol/errors.ts";
import type { Options } from "./options.ts";
import type { OpenedProject, Reloading } from "./reload.ts";

export function checkProject({ project, watch = false }: Options): void {
  if (watch === false || project !== undefined) return;
  const errors = [{ field: "watch", message: "needs a project" }];
  throw new TroupeError("VALIDATION_FAILED", "these options cannot be: watch needs a project", { errors });
}

/** A project's definitions beside those that are given; what is given wins over what the project says of limits. */
export async function fromProject(given: Options, folder: string) {
  const { openProject } = await import("./reload.ts");
  const project = await openProject(resolve(folder), given.limits);
  const { settings, definitions, environment } = project;
  const options: Options = {
    folder: project.folder,
    environment: { ...environment, ...process.env },
    ...settings,
    ...given,
    limits: { ...settings.limits, ...given.limits },
    secrets: [...(settings.secrets ?? []), ...(given.secrets ?? [])],
    workflows: [...definitions.workflows, ...(given.workflows ?? [])],
    agents: [...definitions.agents, ...(given.agents ?? [])],
    tools: [...definitions.tools, ...(given.tools ?? [])],
  };
  return { options, project };
}

/** Taken anew when it is asked for, and if it is watched, whenever a file changes. */
export async function keepProject(
  project: OpenedProject,
  { watch = false }: Options,
  means: Omit<Reloading, "project">,
) {
  const { keepWatching, openReloading, watchFolder } = await import("./reload.ts");
  const taken = openReloading({ project, ...means });
  let current = project;
  const reload = async (): Promise<OpenedProject> => (current = await taken());
  const { folders } = project;
  const again = async (): Promise<readonly string[]> => (await reload()).folders;
  const now = (): OpenedProject => current;
  if (watch === false) return { reload, now, close: () => undefined };
  const at = watch === true ? watchFolder : watch;
  return { reload, now, close: keepWatching({ ...means, watch: at, folders, reload: again }) };
}
