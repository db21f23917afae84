// A poet who fails with a code of his own, and a clerk who writes instead.

type Wish = { about: string; because?: string };

export function poet({ about }: Wish): { text: string } {
  if (about === "spring") return { text: "April, and no wish but April" };
  throw Object.assign(new Error(`nothing comes to mind about ${about}`), { code: "NO_MUSE" });
}

export const clerk = ({ about, because }: Wish): { text: string } => ({ text: `A note about ${about} (${because})` });
