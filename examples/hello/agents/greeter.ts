// Greets whoever it is told of.

export const greet = ({ name }: { name: string }): { text: string } => ({ text: `hello, ${name}` });
