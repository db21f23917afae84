// The signs on the pages, drawn with one stroke.

import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  );
}

const path = (d: string) => () => (
  <Icon>
    <path d={d} />
  </Icon>
);

export const RunsIcon = path("M4 6h10M4 12h16M4 18h7M18 4v4M20 6h-4");
export const FlowIcon = path("M5 4h5v5H5zM14 15h5v5h-5zM7.5 9v3.5a3 3 0 0 0 3 3H14");
export const AgentIcon = path(
  "M12 4v3M7 7h10a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H7a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM9.5 12v1.5M14.5 12v1.5",
);
export const ClockIcon = path("M12 7v5l3 2M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z");
export const ThreadIcon = path("M4 5h16v11H9l-5 4z");
export const SystemIcon = path("M4 5h16v6H4zM4 13h16v6H4zM8 8h.01M8 16h.01");
export const CopyIcon = path("M9 9h10v10H9zM5 15V5h10");
export const CheckIcon = path("M5 12.5l4.5 4.5L19 7.5");
export const EmptyIcon = path("M4 13l3-8h10l3 8v6H4zM4 13h5l1.5 3h3l1.5-3h5");
export const SunIcon = path(
  "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2M12 20v2M2 12h2M20 12h2" +
    "M5 5l1.4 1.4M17.6 17.6L19 19M19 5l-1.4 1.4M6.4 17.6L5 19",
);
export const PlayIcon = path("M7 5l12 7-12 7z");
export const KeysIcon = path("M3 7h18v10H3zM7 11h.01M11 11h.01M15 11h.01M8 14h8");
