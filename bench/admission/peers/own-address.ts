import { networkInterfaces } from "node:os";

/** Not loopback: API servers speak HTTP/2 to that, and HTTP/1.1 to every webhook in a cluster. */
export function ownAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((address) => address !== undefined && !address.internal && address.family === "IPv4");
  return found?.address ?? "127.0.0.1";
}
