// Uses tokens and is never certain.

type Run = { usage: (used: { tokens?: number; cost?: number }) => void };

export function think({ tokens }: { tokens: number }, { usage }: Run): { certain: boolean } {
  usage({ tokens });
  return { certain: tokens === 0 };
}
