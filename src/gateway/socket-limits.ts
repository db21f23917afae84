// Every limit of a conversation over a socket, once: its name, its default, and what happens when it is reached.

import { type LimitRow, limitsOf } from "./limits.ts";

export const socketLimits = {
  sockets: {
    default: 5_000,
    behaviour: "WebSocket connections at once; one more is closed with 4429",
  },
  frameBytes: {
    default: 1_048_576,
    behaviour: "bytes of one frame from a client; a larger one closes the connection with 1009",
  },
  framesPerSecond: {
    default: 50,
    behaviour: "frames of one connection, in the long run; more are refused with RATE_LIMITED, and closed with 4429",
  },
  frameBurst: {
    default: 200,
    behaviour: "how many of them may come at once after a pause",
  },
  runs: {
    default: 10_000,
    behaviour: "runs of conversations that are open or wait for their turn; one more is refused with RATE_LIMITED",
  },
  refusalsMax: {
    default: 20,
    behaviour: "frames in a row that were refused; then the connection is closed with 4400",
  },
  pingMs: {
    default: 20_000,
    behaviour: "how often a connection is asked whether it is alive",
  },
  idleMs: {
    default: 60_000,
    behaviour: "how long a connection may give no sign of life, not even the answer to a ping; then 4408",
  },
  unsentTokenBytes: {
    default: 1_048_576,
    behaviour: "bytes that a client has not read yet; past them it is told no more tokens of agents",
  },
  unsentBytes: {
    default: 8_388_608,
    behaviour: "bytes that a client has not read yet; past them it is closed with 4429, and may come back and go on",
  },
  sessions: {
    default: 10_000,
    behaviour: "sessions that are remembered; for one more the one that was left longest ago is forgotten",
  },
  replayMs: {
    default: 600_000,
    behaviour: "how long frames and left sessions are remembered; later a client is told REPLAY_UNAVAILABLE",
  },
  replayFrames: {
    default: 4_096,
    behaviour: "frames of one session that are remembered; the oldest is forgotten for one more",
  },
  replayBytes: {
    default: 4_194_304,
    behaviour: "bytes of frames of one session that are remembered; the oldest are forgotten for more",
  },
  replayBytesAll: {
    default: 268_435_456,
    behaviour: "bytes of frames of all sessions that are remembered; the oldest session's are forgotten for more",
  },
} as const satisfies Record<string, LimitRow>;

export type SocketLimits = { readonly [name in keyof typeof socketLimits]: number };

export const withSocketLimits = (given: Partial<SocketLimits> = {}): SocketLimits => limitsOf(socketLimits, given);
