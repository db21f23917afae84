// A value to look into: what is long is folded, and all of it can be copied.

import { CopyButton } from "./copy.tsx";

const foldBeyond = 12;
const shownMax = 200;

type Props = { readonly value: unknown; readonly name?: string | undefined; readonly depth?: number };

export function Json({ value }: { value: unknown }) {
  const text = JSON.stringify(value, null, 2) ?? "undefined";
  return (
    <div class="json-box">
      <CopyButton text={text} />
      <div class="json">
        <Node value={value} depth={0} />
      </div>
    </div>
  );
}

function Node({ value, name, depth = 0 }: Props) {
  const label = name === undefined ? null : <span class="key">{name}: </span>;
  if (typeof value !== "object" || value === null) return <Leaf value={value} label={label} />;
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0)
    return (
      <div class="leaf">
        {label}
        {`${open}${close}`}
      </div>
    );
  return (
    <details open={depth === 0 || (depth < 3 && entries.length <= foldBeyond)}>
      <summary>
        {label}
        <span class="muted">{`${open} ${countOf(entries.length, isList ? "item" : "field")} ${close}`}</span>
      </summary>
      <ul>
        {entries.slice(0, shownMax).map(([key, item]) => (
          <li key={key}>
            <Node value={item} name={key} depth={depth + 1} />
          </li>
        ))}
        {entries.length > shownMax && (
          <li class="muted">{entries.length - shownMax} more: copy all of it to see them</li>
        )}
      </ul>
    </details>
  );
}

const countOf = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`;

function Leaf({ value, label }: { value: unknown; label: preact.ComponentChild }) {
  const kind = typeof value === "string" ? "text" : typeof value === "number" ? "number" : "other";
  return (
    <div class="leaf">
      {label}
      <span class={kind}>{typeof value === "string" ? JSON.stringify(value) : String(value)}</span>
    </div>
  );
}
