// Copies a text, and says that it did.

import { useState } from "preact/hooks";
import { CheckIcon, CopyIcon } from "./icons.tsx";

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [isDone, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    await putInClipboard(text);
    setDone(true);
    setTimeout(() => setDone(false), 1_500);
  };
  return (
    <button type="button" class="quiet small copy" onClick={() => void copy()} aria-label={label} title={label}>
      {isDone ? <CheckIcon /> : <CopyIcon />}
    </button>
  );
}

/** Where a page has no clipboard, as on an address that is not of this machine without TLS, an old way is left. */
async function putInClipboard(text: string): Promise<void> {
  if (isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
