/** Where to listen. `host` undefined means every interface. */
export interface BindAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/**
 * Reads `host:port`, `[ipv6]:port` or `:port` (every interface), as Go's flags of that name do. Port 0 picks one.
 * @throws RangeError
 */
export function parseBindAddress(text: string): BindAddress {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new RangeError(`bind address "${text}" is not host:port, [ipv6]:port or :port`);
  }
  const host = match[1] ?? match[2] ?? "";
  return { host: host === "" ? undefined : host, port };
}
