// An exported run, opened from a file: nothing is sent anywhere, and no daemon needs to know of it.

import { useEffect, useState } from "preact/hooks";
import { client } from "../connection.ts";
import { Command } from "../parts/said.tsx";
import { bundleIn } from "./bundle.ts";
import { type Model, openModel } from "./model.ts";
import { RunView } from "./run-view.tsx";

export function FilePage() {
  const [model, setModel] = useState<Model | undefined>(undefined);
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const [isOver, setOver] = useState(false);

  const open = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    try {
      setModel(await modelOf(await file.text()));
      setWrong(undefined);
    } catch (error) {
      setWrong(`${file.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  useEffect(() => {
    const over = (event: DragEvent): void => {
      event.preventDefault();
      setOver(true);
    };
    const leave = (): void => setOver(false);
    const drop = (event: DragEvent): void => {
      event.preventDefault();
      setOver(false);
      void open(event.dataTransfer?.files[0]);
    };
    addEventListener("dragover", over);
    addEventListener("dragleave", leave);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("dragleave", leave);
      removeEventListener("drop", drop);
    };
  }, []);

  if (model)
    return <RunView key={model.story.root?.execId} model={model} wantRow={() => undefined} onDone={undefined} />;
  return (
    <div class="panel execution-drop" data-over={isOver}>
      <h2>Open an exported execution</h2>
      <p class="muted">Drop its file here, or choose it. It stays in this browser.</p>
      <label class="button primary">
        Choose a file
        <input
          type="file"
          accept="application/json,.json"
          onChange={({ currentTarget }) => void open(currentTarget.files?.[0])}
        />
      </label>
      {wrong !== undefined && (
        <p class="wrong" role="alert">
          {wrong}
        </p>
      )}
      <p class="muted small">A file is written by</p>
      <Command text="npx troupe export <exec_id>" />
    </div>
  );
}

async function modelOf(text: string): Promise<Model> {
  const { execId, executions, journal, steps, chart } = bundleIn(text);
  const model = openModel(execId, true);
  model.rows.value = new Map(executions.map((row) => [row.exec_id, row]));
  if (chart) model.takeChart(chart);
  model.steps.value = steps;
  model.take(journal);
  model.isLoaded.value = true;
  // The charts of the engine are the same for every run; without a daemon they are not shown.
  await client
    .listCharts()
    .then(({ items }) => model.takeCharts(items as never))
    .catch(() => undefined);
  return model;
}
