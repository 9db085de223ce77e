/** Hosts that a policy lists in `spec.rego.allowedHosts`. */

/** One entry: where calls may go. */
export interface AllowedHost {
  readonly protocol: "https:" | "http:";
  /** As URLs spell it (WHATWG URL, "host serializing"): an IPv6 address stands in brackets. */
  readonly hostname: string;
  readonly port: number;
}

export class AllowedHostError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "AllowedHostError";
  }
}

/** Of a host name of the DNS (RFC 1035, 2.3.4), with scheme, brackets and port. */
const longestEntry = 270;

/**
 * `host` and `host:port` are reached over TLS, `http://host[:port]` without.
 * @throws AllowedHostError saying how to write it
 */
export function parseAllowedHost(text: string): AllowedHost {
  const isPlain = text.startsWith("http://");
  const entry = isPlain ? text.slice("http://".length) : text;
  const url =
    text.length > longestEntry || /[/?#@\\*]/.test(entry)
      ? null
      : URL.parse(`${isPlain ? "http" : "https"}://${entry}`);
  if (url === null || url.hostname === "")
    throw new AllowedHostError(
      "is no host: write api.example.com or api.example.com:8443, [2001:db8::1]:8443 for an address of IPv6, or http://… for one without TLS",
    );
  const { protocol, hostname } = url;
  const written = entry.replace(/:\d+$/, "");
  // Such as 0x7f.1, which a URL takes for 127.0.0.1.
  if (written !== hostname) throw new AllowedHostError(`means ${hostname}: write that`);
  return { protocol: protocol === "http:" ? "http:" : "https:", hostname, port: portOf(url) };
}

export function isAllowed(url: URL, hosts: readonly AllowedHost[]): boolean {
  return hosts.some(
    ({ protocol, hostname, port }) =>
      url.protocol === protocol && url.hostname === hostname && portOf(url) === port,
  );
}

/** For people: as it would be written in the list. */
export function shownHost({ protocol, hostname, port }: AllowedHost): string {
  const scheme = protocol === "http:" ? "http://" : "";
  return `${scheme}${hostname}${port === defaultPort(protocol) ? "" : `:${port}`}`;
}

export function hostOf(url: URL): AllowedHost {
  return {
    protocol: url.protocol === "http:" ? "http:" : "https:",
    hostname: url.hostname,
    port: portOf(url),
  };
}

function portOf({ port, protocol }: URL): number {
  return port === "" ? defaultPort(protocol) : Number(port);
}

const defaultPort = (protocol: string): number => (protocol === "http:" ? 80 : 443);
