// Runs as files, over HTTP: one is given out with all that a reader without a daemon needs, and one is taken in.

import type { Troupe } from "../runtime/troupe.ts";
import type { AnswersOf } from "./answers.ts";
import { bundleFile } from "./bundle-file.ts";

type Operations = "exportExecution" | "importExecution" | "deleteImported";

export function bundleAnswers({ troupe }: { troupe: Troupe }): AnswersOf<Operations> {
  return {
    async exportExecution({ params }) {
      const body = await bundleFile(troupe, params.exec_id);
      const disposition = `attachment; filename="troupe-${body.exec_id}.json"`;
      return { body, headers: { "content-disposition": disposition } };
    },
    async importExecution({ body }) {
      const { execId, isDuplicate, isReplayable, ...counts } = await troupe.importRun(body);
      const report = { exec_id: execId, ...counts, is_duplicate: isDuplicate, is_replayable: isReplayable };
      return { status: isDuplicate ? 200 : 201, body: report };
    },
    async deleteImported({ params }) {
      await troupe.forgetImported(params.exec_id);
      return { status: 204, body: null };
    },
  };
}
