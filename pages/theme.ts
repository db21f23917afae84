// Light or dark: as the system has it, until somebody chooses.

import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const themes: readonly Theme[] = ["system", "light", "dark"];
const key = "troupe.theme";

const kept = localStorage.getItem(key);
export const theme = signal<Theme>(themes.find((one) => one === kept) ?? "system");

export function applyTheme(): void {
  if (theme.value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme.value;
}

export function nextTheme(): void {
  theme.value = themes[(themes.indexOf(theme.value) + 1) % themes.length] ?? "system";
  localStorage.setItem(key, theme.value);
  applyTheme();
}
