// A text that must be JSON: what is wrong is said as one types, with its line.

import { useEffect, useState } from "preact/hooks";

type Props = {
  readonly id: string;
  readonly label: string;
  /** What it begins with, and begins with anew when this changes. */
  readonly text: string;
  /** The value, or undefined while the text is none. */
  readonly onChange: (given: { value: unknown } | undefined) => void;
  readonly rows?: number;
};

export function JsonField({ id, label, text: first, onChange, rows = 8 }: Props) {
  const [text, setText] = useState(first);
  useEffect(() => setText(first), [first]);
  const [error, setError] = useState<string | undefined>();
  const typed = (next: string): void => {
    setText(next);
    const read = readJson(next);
    setError("error" in read ? read.error : undefined);
    onChange("error" in read ? undefined : read);
  };
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        rows={rows}
        spellcheck={false}
        value={text}
        aria-invalid={error !== undefined}
        aria-describedby={`${id}-wrong`}
        onInput={(event) => typed(event.currentTarget.value)}
      />
      <span id={`${id}-wrong`} class="wrong" role="status">
        {error}
      </span>
    </div>
  );
}

function readJson(text: string): { value: unknown } | { error: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = /position (\d+)/.exec(message)?.[1];
    const line = at === undefined ? "" : `line ${text.slice(0, Number(at)).split("\n").length}: `;
    return { error: `${line}this is not JSON: ${message}` };
  }
}
