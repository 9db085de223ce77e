import { parseArgs } from "node:util";
import { DEFAULT_NAMESPACE, parseDurationMs } from "@shieldx/crds";
import { isLogLevel, logLevels } from "@shieldx/telemetry";

export interface OperatorFlags {
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
  /** Of privileged agents, when the installation has one. */
  readonly agentsNamespace: string | undefined;
  readonly logLevel: string;
  readonly webhookUrl: string | undefined;
  readonly webhookProbeUrl: string | undefined;
  readonly metricsBindAddress: string | undefined;
  readonly healthBindAddress: string | undefined;
  readonly leaderElect: boolean;
  readonly auditReports: number;
  readonly auditReportsPerNamespace: number;
  readonly auditWritesPerSecond: number;
  /** Whether the page is served beside the metrics. */
  readonly page: boolean;
  /** undefined: as the operator has it by itself. */
  readonly unusedAfterMs: number | undefined;
  /** The Rego compiler's module; undefined: beside the program. */
  readonly regoCompiler: string | undefined;
  /** Folder in which compiled policies are kept for the next start. */
  readonly regoPlans: string | undefined;
}

/** Thrown for a command line that cannot be meant; `main` prints the message and returns 1. */
export class FlagError extends Error {
  readonly code = "SHIELDX_FLAG";
}

export const USAGE = `shieldx operator: keeps ShieldX's policies enforced

  --kubeconfig PATH              cluster to work on (default: the cluster this Pod runs in)
  --namespace NAME               ShieldX's own namespace (default ${DEFAULT_NAMESPACE})
  --agents-namespace NAME        the namespace of ShieldX's agents, which no policy judges; only where it exists
  --webhook-url URL              webhook replicas run outside the cluster at this https:// address
  --webhook-probe-url URL        their probe port; required with --webhook-url
  --metrics-bind-address ADDR    HTTPS metrics, host:port (default 0.0.0.0:8443, "0" switches it off)
  --health-bind-address ADDR     /healthz and /readyz, host:port (default 0.0.0.0:8081, "0" switches it off)
  --leader-elect[=true|false]    work only while holding the Lease (default true)
  --page[=true|false]            serve the page at /page of the metrics' address (default true)
  --audit-reports N              most openreports.io Reports of objects to keep, and of namespaces with more; a
                                 quarter as many again of objects that break tenants' policies only
                                 (default 1000, 0 switches them off)
  --audit-reports-per-namespace N
                                 most Reports of objects in one namespace; beyond, one sums up (default 100)
  --audit-writes-per-second N    most statuses, and most Reports, that the audit writes a second (default 10)
  --exception-unused-after TIME  how long nothing needs an exception before it counts as unused (default 168h)
  --rego-compiler FILE           compiles policies in Rego (default: rego-compiler.wasm beside this program)
  --rego-plans FOLDER            keep compiled policies there for the next start (default: nowhere)
  --log-level LEVEL              debug, info, warn or error (default info)
  --help
`;

/** @throws FlagError naming the flag and what it takes. */
export function parseFlags(argv: readonly string[]): OperatorFlags | "help" {
  const values = parse(argv);
  if (values.help === true) return "help";
  const webhookUrl = httpsUrl("--webhook-url", values["webhook-url"]);
  const webhookProbeUrl = httpsUrl("--webhook-probe-url", values["webhook-probe-url"]);
  if ((webhookUrl === undefined) !== (webhookProbeUrl === undefined)) {
    throw new FlagError("--webhook-url and --webhook-probe-url go together: give both or neither");
  }
  const logLevel = values["log-level"] ?? "info";
  if (!isLogLevel(logLevel)) {
    throw new FlagError(`--log-level ${JSON.stringify(logLevel)}: use one of ${logLevels.join(", ")}`);
  }
  return {
    kubeconfig: values.kubeconfig,
    namespace: values.namespace ?? DEFAULT_NAMESPACE,
    agentsNamespace: values["agents-namespace"],
    logLevel,
    webhookUrl,
    webhookProbeUrl,
    metricsBindAddress: bindAddress(
      "--metrics-bind-address",
      values["metrics-bind-address"] ?? "0.0.0.0:8443",
    ),
    healthBindAddress: bindAddress("--health-bind-address", values["health-bind-address"] ?? "0.0.0.0:8081"),
    leaderElect: isTrue("--leader-elect", values["leader-elect"] ?? "true"),
    page: isTrue("--page", values.page ?? "true"),
    auditReports: wholeNumber("--audit-reports", values["audit-reports"] ?? "1000"),
    auditReportsPerNamespace: wholeNumber(
      "--audit-reports-per-namespace",
      values["audit-reports-per-namespace"] ?? "100",
    ),
    auditWritesPerSecond: atLeastOne("--audit-writes-per-second", values["audit-writes-per-second"] ?? "10"),
    unusedAfterMs: duration("--exception-unused-after", values["exception-unused-after"]),
    regoCompiler: values["rego-compiler"],
    regoPlans: values["rego-plans"],
  };
}

function parse(argv: readonly string[]) {
  // A bare --leader-elect or --page means true, as with Go's flags.
  const args = argv.map((arg) => (arg === "--leader-elect" || arg === "--page" ? `${arg}=true` : arg));
  try {
    const text = { type: "string" } as const;
    return parseArgs({
      args,
      strict: true,
      allowPositionals: false,
      options: {
        kubeconfig: text,
        namespace: text,
        "agents-namespace": text,
        "log-level": text,
        "webhook-url": text,
        "webhook-probe-url": text,
        "metrics-bind-address": text,
        "health-bind-address": text,
        "leader-elect": text,
        "audit-reports": text,
        "audit-reports-per-namespace": text,
        "audit-writes-per-second": text,
        page: text,
        "exception-unused-after": text,
        "rego-compiler": text,
        "rego-plans": text,
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (cause) {
    throw new FlagError(`${cause instanceof Error ? cause.message : String(cause)} (see --help)`, { cause });
  }
}

function httpsUrl(flag: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (!URL.canParse(value) || new URL(value).protocol !== "https:") {
    throw new FlagError(`${flag} ${JSON.stringify(value)}: must be a URL that starts with https://`);
  }
  return value.replace(/\/+$/, "");
}

function bindAddress(flag: string, value: string): string | undefined {
  if (value === "0") return undefined;
  if (!/^(\[[0-9a-fA-F:]+\]|[^:\s]*):\d{1,5}$/.test(value)) {
    throw new FlagError(`${flag} ${JSON.stringify(value)}: must be host:port, :port or 0`);
  }
  return value;
}

function isTrue(flag: string, value: string): boolean {
  if (value === "true") return true;
  if (value === "false") return false;
  throw new FlagError(`${flag}=${value}: must be true or false`);
}

function duration(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  try {
    const ms = parseDurationMs(value);
    if (ms > 0) return ms;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new FlagError(`${flag} ${JSON.stringify(value)}: must be a duration, e.g. 168h, 30m or 10s`);
}

function atLeastOne(flag: string, value: string): number {
  const number = wholeNumber(flag, value);
  if (number === 0) throw new FlagError(`${flag} 0: must be 1 or more, or nothing would ever be written`);
  return number;
}

function wholeNumber(flag: string, value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new FlagError(`${flag} ${value}: must be a whole number below 1000000`);
  return Number(value);
}
