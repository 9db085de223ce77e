import { describe, expect, it } from "vitest";
import { FlagError, parseFlags } from "./flags.ts";

describe("parseFlags", () => {
  it("has defaults that fit a Pod", () => {
    expect(parseFlags([])).toEqual({
      kubeconfig: undefined,
      namespace: "shieldx-system",
      agentsNamespace: undefined,
      logLevel: "info",
      webhookUrl: undefined,
      webhookProbeUrl: undefined,
      metricsBindAddress: "0.0.0.0:8443",
      healthBindAddress: "0.0.0.0:8081",
      leaderElect: true,
      auditReports: 1000,
      auditReportsPerNamespace: 100,
      auditWritesPerSecond: 10,
      page: true,
    });
  });

  it("takes both ways of giving a value, and a bare --leader-elect", () => {
    expect(
      parseFlags([
        "--kubeconfig",
        "/k",
        "--webhook-url=https://127.0.0.1:1/",
        "--webhook-probe-url=https://127.0.0.1:2",
        "--leader-elect",
        "--metrics-bind-address=0",
        "--health-bind-address=[::1]:8081",
        "--audit-reports=0",
        "--audit-reports-per-namespace=5",
        "--audit-writes-per-second=2",
        "--exception-unused-after=1h30m",
      ]),
    ).toMatchObject({
      kubeconfig: "/k",
      webhookUrl: "https://127.0.0.1:1",
      leaderElect: true,
      metricsBindAddress: undefined,
      healthBindAddress: "[::1]:8081",
      auditReports: 0,
      auditReportsPerNamespace: 5,
      auditWritesPerSecond: 2,
      unusedAfterMs: 5_400_000,
    });
    expect(parseFlags(["--leader-elect=false"])).toMatchObject({ leaderElect: false });
    expect(parseFlags(["--help"])).toBe("help");
  });

  it.each([
    [["--nonsense"], /nonsense/],
    [["--webhook-url=http://x", "--webhook-probe-url=https://x"], /https/],
    [["--webhook-url=https://x"], /go together/],
    [["--log-level=loud"], /loud/],
    [["--metrics-bind-address=nowhere"], /host:port/],
    [["--leader-elect=maybe"], /true or false/],
    [["--page=perhaps"], /--page=perhaps: must be true or false/],
    [["--audit-reports=-1"], /audit-reports/],
    [["--audit-writes-per-second=0"], /1 or more/],
    [["--exception-unused-after=0s"], /exception-unused-after "0s"/],
    [["--exception-unused-after=soon"], /168h/],
    [["positional"], /positional/],
  ])("says what is wrong with %j", (argv, message) => {
    expect(() => parseFlags(argv)).toThrow(FlagError);
    expect(() => parseFlags(argv)).toThrow(message);
  });
});
