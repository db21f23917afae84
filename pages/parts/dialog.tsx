// A question in front of the page: the browser's own dialog, which keeps the focus and ends with Escape.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

type Props = { readonly title: string; readonly onClose: () => void; readonly children: ComponentChildren };

export function Dialog({ title, onClose, children }: Props) {
  const own = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    own.current?.showModal();
  }, []);
  return (
    <dialog
      ref={own}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => event.target === own.current && onClose()}
    >
      <div class="sheet">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
