// Which hosts are this machine alone: nobody else can listen in there, or come in.

const octet = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)";
const form = new RegExp(`^127(?:\\.${octet}){3}$`);

export function isLoopback(host: string): boolean {
  const plain = host
    .toLowerCase()
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/^::ffff:/, "");
  return plain === "localhost" || plain === "::1" || form.test(plain);
}
