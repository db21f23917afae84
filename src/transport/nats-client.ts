// What others than this folder need of the client of NATS: how to say who one is.

export { credsAuthenticator, nkeyAuthenticator } from "@nats-io/transport-node";
