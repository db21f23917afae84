// A process of its own with some components of each scene that is played: it is told to open, to go on, and to close.
//
//   parent ──{ number, ask, … }──▶ this process ──{ number, answer | error }──▶ parent       each request once
//
// Run by its path, with nothing but a channel to its parent; it ends with that.

import { fromUnknown } from "../../src/protocol/errors.ts";
import { openPlayer, type Player, type Seat } from "./player.ts";

export type RoleAsk =
  | { ask: "open"; seat: Seat }
  | { ask: "turn"; play: string; to: number | null }
  | { ask: "kill"; play: string; run: string; by: string }
  | { ask: "leave"; play: string }
  | { ask: "close"; play: string };

const players = new Map<string, Player>();

function playerOf(play: string): Player {
  const player = players.get(play);
  if (!player) throw new Error(`'${play}' is not played in this process`);
  return player;
}

async function answer(request: RoleAsk): Promise<unknown> {
  switch (request.ask) {
    case "open":
      players.set(request.seat.play, await openPlayer(request.seat));
      return null;
    case "turn":
      return playerOf(request.play).turn(request.to);
    case "kill":
      return playerOf(request.play).kill(request.run, request.by);
    case "leave":
      return playerOf(request.play).troupe.stop();
    case "close": {
      const player = playerOf(request.play);
      players.delete(request.play);
      return player.close();
    }
  }
}

process.on("disconnect", () => process.exit(0));
process.on("message", ({ number, ...request }: RoleAsk & { number: number }) => {
  answer(request as RoleAsk).then(
    (given) => process.send?.({ number, answer: given ?? null }),
    (error: unknown) => process.send?.({ number, error: fromUnknown(error).message }),
  );
});
