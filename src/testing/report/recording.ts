// A played run as a file that `troupe import` and the pages open: there and in the inspector it is stepped through like
// any run that really was.

import { bundleFile } from "../../gateway/bundle-file.ts";
import { openExports } from "../../runtime/bundle-export.ts";
import { troupe } from "../../runtime/troupe.ts";
import { openMemory } from "../../store/memory.ts";
import type { Company } from "../check/cast.ts";
import type { Played } from "../check/trial.ts";

/** With the time of the play for the time at which it is written: the same trial gives the same file. */
export async function recordingOf(played: Played, company: Company): Promise<object> {
  const at = played.endedAt ?? played.lines.at(-1)?.at ?? played.beganAt;
  const store = openMemory({ disk: played.disk() });
  const { definitions } = company;
  const bundle = await openExports({ store, clock: { now: () => at }, definitions }).exportRun(played.run);
  // What a reader needs beside the records is what a daemon that has opened them makes of them.
  const reader = await troupe({ workflows: [], store: openMemory() });
  try {
    await reader.importRun(bundle);
    return { ...(await bundleFile(reader, played.run)), exported_at: bundle.exported_at };
  } finally {
    await reader.stop({ graceMs: 0 });
  }
}
