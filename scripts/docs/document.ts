// A generated document, and the forms its text takes.

export type Document = {
  /** From the root of the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
};

const lineChars = 110;

/** JSON for people: whatever fits a line stands on one. */
export function json(value: unknown): string {
  return `${spread(value, "", 0)}\n`;
}

function spread(value: unknown, indent: string, used: number): string {
  const flat = flatten(value);
  if (indent.length + used + flat.length < lineChars) return flat;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.every((item) => typeof item !== "object") ? filled(value, deeper) : spreadAll(value, deeper);
    return `[\n${items}\n${indent}]`;
  }
  if (typeof value !== "object" || value === null) return flat;
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => {
      const label = `${JSON.stringify(name)}: `;
      return deeper + label + spread(field, deeper, label.length);
    });
  return `{\n${fields.join(",\n")}\n${indent}}`;
}

const spreadAll = (items: readonly unknown[], indent: string): string =>
  items.map((item) => indent + spread(item, indent, 0)).join(",\n");

/** As many on a line as fit. */
function filled(items: readonly unknown[], indent: string): string {
  const lines: string[] = [];
  for (const item of items.map(flatten)) {
    const longer = `${lines.at(-1)}, ${item}`;
    if (lines.length > 0 && longer.length < lineChars) lines[lines.length - 1] = longer;
    else lines.push(indent + item);
  }
  return lines.join(",\n");
}

function flatten(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flatten).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .map(([name, field]) => `${JSON.stringify(name)}: ${flatten(field)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}

/** A Markdown table; a cell may hold anything but a line break. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const escaped = (cell: string): string => cell.replaceAll("|", "\\|");
  const line = (cells: readonly string[]): string => `| ${cells.map(escaped).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

export const code = (text: string): string => `\`${text}\``;

/** The line that tells a reader where to change what the document says. */
export const generatedFrom = (source: string): string => `<!-- Generated from ${source} by \`npm run docs\`. -->`;
