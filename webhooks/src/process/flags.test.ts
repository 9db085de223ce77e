import { describe, expect, it } from "vitest";
import { FlagError, parseFlags } from "./flags.ts";

describe("flags", () => {
  it("have the defaults of a Pod", () => {
    expect(parseFlags(["--replica-name=a"])).toMatchObject({
      namespace: "shieldx-system",
      agentsNamespace: undefined,
      bindAddress: { host: "0.0.0.0", port: 9443 },
      probeBindAddress: { port: 9444 },
      healthBindAddress: { port: 8081 },
      shutdownDelayMs: 10_000,
    });
    expect(parseFlags(["--health-bind-address", "0", "--shutdown-delay", "250ms"])).toMatchObject({
      healthBindAddress: undefined,
      shutdownDelayMs: 250,
    });
    expect(parseFlags(["-h"])).toBe("help");
  });

  it.each([
    [["--bind-address=x"], /--bind-address "x": must be host:port/],
    [["--log-level=loud"], /--log-level "loud": use one of/],
    [["--shutdown-delay=soon"], /--shutdown-delay "soon": must be a duration/],
    [["--replica-name=A B"], /--replica-name "a b": must be a DNS name/],
    [["--unknown"], /--unknown/],
    [["stray"], /stray/],
  ])("%j is refused", (argv, message) => {
    expect(() => parseFlags(argv)).toThrowError(FlagError);
    expect(() => parseFlags(argv)).toThrowError(message);
  });
});
