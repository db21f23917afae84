// What is said when there is nothing to show: what this is for and the command that would fill it, or what went wrong.

import type { ComponentChildren } from "preact";
import { TroupeError } from "../../src/protocol/errors.ts";
import { connection } from "../connection.ts";
import { CopyButton } from "./copy.tsx";
import { EmptyIcon } from "./icons.tsx";

export function Command({ text }: { text: string }) {
  return (
    <span class="command">
      <code>{text}</code>
      <CopyButton text={text} label="Copy the command" />
    </span>
  );
}

/** What stands between backticks is typed as it is. */
export const Spoken = ({ text }: { text: string }) => (
  <>{text.split("`").map((piece, index) => (index % 2 === 1 ? <code key={index}>{piece}</code> : piece))}</>
);

type EmptyProps = { readonly title: string; readonly command?: string; readonly children?: ComponentChildren };

export function Empty({ title, command, children }: EmptyProps) {
  return (
    <div class="empty">
      <EmptyIcon />
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {command !== undefined && <Command text={command} />}
    </div>
  );
}

export function Banner({ tone, children }: { tone?: "wrong"; children: ComponentChildren }) {
  return (
    <div class={tone === "wrong" ? "banner wrong-tone" : "banner"} role={tone === "wrong" ? "alert" : "status"}>
      {children}
    </div>
  );
}

/** An error as the daemon says it; that nobody answers is said once, above. */
export function Wrong({ error }: { error: unknown }) {
  if (error === undefined || error === null || connection.value === "lost") return null;
  const code = error instanceof TroupeError ? error.code : undefined;
  const { fix, errors } = error instanceof TroupeError ? error.details : {};
  const fields = Array.isArray(errors) ? (errors as { field?: unknown; message?: unknown }[]) : [];
  return (
    <Banner tone="wrong">
      <span class="grow">
        <Spoken text={error instanceof Error ? error.message : JSON.stringify(error)} />
        {fields.length === 0 && typeof fix === "string" && <Spoken text={`; ${fix}`} />}
        {fields.map(({ field, message }, index) => (
          <span class="small defect" key={index}>
            <code>{String(field)}</code> {String(message)}
          </span>
        ))}
      </span>
      {code !== undefined && <code>{code}</code>}
    </Banner>
  );
}
