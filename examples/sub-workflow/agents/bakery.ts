// Bakes and sweeps.

export const bake = ({ flour }: { flour: string }): { loaf: string } => ({ loaf: `a loaf of ${flour}` });

export const sweep = (): { clean: true } => ({ clean: true });
