// The part of a conversation: turns that are wanted, end, and are withdrawn; twice, too late, of nobody.

import { conversation } from "../../machines/conversation.ts";
import { idOf, type Part } from "../part.ts";

const wanted = (turn: string) => ({ type: "cue:TurnWanted" as const, turn });
const ended = (turn: string) => ({ type: "cue:TurnEnded" as const, turn });

export const conversationPart: Part<typeof conversation> = {
  machine: conversation,
  inputs: { opens: { turn: null }, "opens, under way": { turn: idOf(1) } },
  menu({ turn, line }) {
    const taken = new Set([turn, ...line]);
    const fresh = Array.from({ length: taken.size + 1 }, (_, index) => idOf(index + 1)).find((id) => !taken.has(id));
    const first = line[0];
    return [
      { event: wanted(fresh ?? "") },
      ...(turn === null
        ? []
        : [
            { note: "again", event: wanted(turn) },
            { note: "running", event: ended(turn) },
          ]),
      ...(first === undefined ? [] : [{ note: "in line, again", event: wanted(first) }]),
      ...(first === undefined ? [] : [{ note: "in line", event: ended(first) }]),
      { note: "other", event: ended(idOf(999)) },
      { event: { type: "cue:ThreadClosed" as const } },
    ];
  },
};
