// Begins a workflow: a form from its input schema, or the input as JSON, checked as one types.

import { useEffect, useMemo, useState } from "preact/hooks";
import { client } from "../connection.ts";
import { useKeys } from "../keys.ts";
import type { PageProps } from "../pages.tsx";
import { useAsked } from "../parts/asked.ts";
import { wordOf } from "../parts/badge.tsx";
import { JsonField } from "../parts/json-field.tsx";
import { Command, Wrong } from "../parts/said.tsx";
import { PlayIcon } from "../parts/icons.tsx";
import { go } from "../router.ts";
import { inputOf } from "./input-of.ts";
import { type Defect, defectsOf, initialOf, isPlain, type Schema, typeOf } from "./schema.ts";
import { SchemaForm } from "./schema-form.tsx";

const recentMax = 12;

export function StartPage({ params, query }: PageProps) {
  const id = params["id"] ?? "";
  const definition = useAsked(() => client.getDefinition({ entities: "workflows", id }), [id]);
  return (
    <>
      <div class="page-head">
        <h1>
          Start <a href={`/workflows/${id}`}>{id}</a>
        </h1>
        {definition.value?.description && <p class="sub">{definition.value.description}</p>}
      </div>
      <Wrong error={definition.error} />
      {definition.value && (
        <Form id={id} schema={(definition.value.input_schema ?? {}) as Schema} from={query.get("from") ?? ""} />
      )}
    </>
  );
}

type Mode = "form" | "json";

/** The input as it is typed, and as it is begun with. */
function useInput(id: string, schema: Schema, from: string) {
  const [value, setValue] = useState<unknown>(() => initialOf(schema, schema) ?? {});
  const [text, setText] = useState(() => JSON.stringify(value, null, 2));
  const [isText, setIsText] = useState(true);
  const [isTouched, setTouched] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const defects = useMemo(() => defectsOf(value, schema, schema), [value, schema]);

  const take = (next: unknown): void => {
    setValue(next);
    setText(JSON.stringify(next, null, 2));
    setIsText(true);
  };
  /** What is typed as JSON stays as it was typed. */
  const typed = (given: { value: unknown } | undefined): void => {
    setIsText(given !== undefined);
    if (given) setValue(given.value);
  };
  const load = (execId: string): void => void inputOf(execId).then(take, setError);
  useEffect(() => {
    if (from !== "") load(from);
  }, [from]);

  const begin = async (labels: Record<string, string>): Promise<void> => {
    setTouched(true);
    if (defects.length > 0 || !isText || isBusy) return;
    setBusy(true);
    setError(undefined);
    try {
      const more = Object.keys(labels).length > 0 ? { labels } : {};
      const begun = await client.executeWorkflowAsync({ id, input: value, ...more });
      go(`/executions/${begun.exec_id}`);
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  const format = (): void => setText(JSON.stringify(value, null, 2));
  return { value, text, isText, isTouched, isBusy, error, defects, take, typed, load, begin, format };
}

type FormProps = { readonly id: string; readonly schema: Schema; readonly from: string };

function Form({ id, schema, from }: FormProps) {
  const canForm = typeOf(schema) === "object" && isPlain(schema) && schema.properties !== undefined;
  const [mode, setMode] = useState<Mode>(canForm ? "form" : "json");
  const [labels, setLabels] = useState("");
  const input = useInput(id, schema, from);
  const { value, defects, isTouched } = input;
  const begin = (): void => void input.begin(labelsIn(labels));
  useKeys([{ key: "r", says: "start it", does: begin }]);
  return (
    <div class="start">
      <form
        class="panel padded stack"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          begin();
        }}
      >
        <div class="row">
          <Modes
            mode={mode}
            canForm={canForm}
            set={(one) => {
              input.format();
              setMode(one);
            }}
          />
          <span class="grow" />
          <Recent id={id} load={input.load} />
        </div>
        {mode === "form" ? (
          <SchemaForm
            schema={schema}
            root={schema}
            value={value}
            defects={defects}
            isTouched={isTouched}
            set={input.take}
          />
        ) : (
          <JsonField id="input" label="Input" rows={14} text={input.text} onChange={input.typed} />
        )}
        {mode === "json" && <Defects defects={defects} />}
        <div class="field">
          <label for="labels">Labels (optional)</label>
          <input
            id="labels"
            placeholder="customer:acme, region:eu"
            value={labels}
            onInput={(event) => setLabels(event.currentTarget.value)}
          />
        </div>
        <Wrong error={input.error} />
        <div class="row">
          <button class="primary" disabled={input.isBusy || !input.isText}>
            <PlayIcon />
            {input.isBusy ? "Starting …" : "Start"}
          </button>
          {isTouched && defects.length > 0 && <span class="wrong">Something is missing or wrong above.</span>}
        </div>
      </form>
      <Elsewhere id={id} value={value} hasSchema={typeOf(schema) !== undefined} />
    </div>
  );
}

function Modes({ mode, canForm, set }: { mode: Mode; canForm: boolean; set: (mode: Mode) => void }) {
  return (
    <div class="segments" role="group" aria-label="How the input is given">
      <button type="button" aria-pressed={mode === "form"} disabled={!canForm} onClick={() => set("form")}>
        Form
      </button>
      <button type="button" aria-pressed={mode === "json"} onClick={() => set("json")}>
        JSON
      </button>
    </div>
  );
}

function Recent({ id, load }: { id: string; load: (execId: string) => void }) {
  const recent = useAsked(() => client.listExecutionsOf({ entities: "workflows", id, limit: recentMax }), [id]);
  const items = recent.value?.items ?? [];
  return (
    <select
      aria-label="Recent inputs"
      value=""
      disabled={items.length === 0}
      onChange={(event) => {
        load(event.currentTarget.value);
        event.currentTarget.value = "";
      }}
    >
      <option value="">Recent inputs …</option>
      {items.map(({ exec_id, status, created_at }) => (
        <option key={exec_id} value={exec_id}>
          {new Date(created_at).toLocaleString()}, {wordOf(status)}
        </option>
      ))}
    </select>
  );
}

function Defects({ defects }: { defects: readonly Defect[] }) {
  if (defects.length === 0) return null;
  return (
    <ul class="failures wrong" aria-label="What is wrong">
      {defects.map(({ path, message }) => (
        <li key={path + message}>
          <code>{path === "" ? "input" : path}</code> {message}
        </li>
      ))}
    </ul>
  );
}

function Elsewhere({ id, value, hasSchema }: { id: string; value: unknown; hasSchema: boolean }) {
  const url = `${location.origin}/api/workflows/${id}/execute-async`;
  const body = quoted(JSON.stringify({ input: value }));
  return (
    <aside class="stack">
      <h2>The same elsewhere</h2>
      <Command text={`npx troupe run ${id} --input ${quoted(JSON.stringify(value))} --watch`} />
      <Command text={`curl -X POST ${url} -H 'content-type: application/json' -d ${body}`} />
      {!hasSchema && (
        <p class="muted small">
          This workflow does not say what its input is like; with <code>input:</code>, a JSON Schema, in its definition
          there is a form here.
        </p>
      )}
    </aside>
  );
}

/** For a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

const labelsIn = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split(",").flatMap((one): [string, string][] => {
      const [name = "", ...value] = one.split(":");
      return name.trim() === "" || value.length === 0 ? [] : [[name.trim(), value.join(":").trim()]];
    }),
  );
