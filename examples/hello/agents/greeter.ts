// Greets whoever it is told of: a workflow says it as `name`, and who talks to it over the WebSocket as `user_request`.

type Told = { name?: string; user_request?: string };

export const greet = ({ name, user_request = "world" }: Told): { text: string } => ({
  text: `hello, ${name ?? user_request}`,
});
