// A status in its colour and in words: colour alone says nothing to many.

const words: Readonly<Record<string, string>> = { TIMED_OUT: "timed out", SUCCESS: "success" };

export const wordOf = (status: string): string => words[status] ?? status.toLowerCase();

export function Badge({ status, title }: { status: string; title?: string | undefined }) {
  return (
    <span class="badge" data-status={status} title={title}>
      {wordOf(status)}
    </span>
  );
}
