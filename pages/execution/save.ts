// Gives a text to whoever looks at the page, as a file.

/** The browser has taken it by then. */
const takenMs = 10_000;

export function save(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), takenMs);
}
