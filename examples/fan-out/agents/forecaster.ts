// Knows the weather of some places.

const known: Readonly<Record<string, string>> = { Lisbon: "sun", Bergen: "rain", Nuuk: "snow" };

export function forecast({ city }: { city: string }): { city: string; weather: string } {
  const weather = known[city];
  if (weather === undefined) throw Object.assign(new Error(`nobody measures in ${city}`), { code: "NO_STATION" });
  return { city, weather };
}
