import { hostname } from "node:os";
import { parseArgs } from "node:util";
import { type BindAddress, parseBindAddress } from "@shieldx/controller-runtime";
import { DEFAULT_NAMESPACE } from "@shieldx/crds";
import { isLogLevel, logLevels } from "@shieldx/telemetry";
import { type DecisionFlags, decisionOptions, decisionUsage, parseDecisionFlags } from "./decision-flags.ts";
import { duration, FlagError } from "./flag-error.ts";

export interface WebhookFlags {
  readonly kubeconfig: string | undefined;
  readonly namespace: string;
  /** Of privileged agents, when the installation has one. */
  readonly agentsNamespace: string | undefined;
  readonly logLevel: string;
  readonly bindAddress: BindAddress;
  readonly probeBindAddress: BindAddress;
  readonly metricsBindAddress: BindAddress | undefined;
  readonly healthBindAddress: BindAddress | undefined;
  readonly clientCaFile: string | undefined;
  /** The Rego compiler's module; undefined: beside the program. */
  readonly regoCompiler: string | undefined;
  /** Folder in which compiled policies are kept for the next start. */
  readonly regoPlans: string | undefined;
  /** Of OPA's bundles as tar archives. */
  readonly largestBundleMiB: number | undefined;
  readonly replicaName: string;
  readonly shutdownDelayMs: number;
  readonly decisions: DecisionFlags;
}

export { FlagError } from "./flag-error.ts";

export const usage = `shieldx webhooks: answers the API servers' admission requests

  --kubeconfig PATH              cluster to work on (default: the cluster this Pod runs in)
  --namespace NAME               ShieldX's own namespace (default ${DEFAULT_NAMESPACE})
  --agents-namespace NAME        the namespace of ShieldX's agents, which no policy judges; only where it exists
  --bind-address ADDR            admission requests, HTTPS, host:port (default 0.0.0.0:9443)
  --probe-bind-address ADDR      handshake probes with the candidate leaf (default 0.0.0.0:9444)
  --metrics-bind-address ADDR    HTTPS metrics (default 0.0.0.0:8443, "0" switches it off)
  --health-bind-address ADDR     /healthz and /readyz (default 0.0.0.0:8081, "0" switches it off)
  --client-ca-file PATH          require client certificates signed by these CAs (default: none asked for)
  --rego-compiler FILE           compiles policies in Rego (default: rego-compiler.wasm beside this program)
  --largest-bundle MIB           of OPA's bundles, unpacked (default 32): reading one holds up requests, some 15 ms a MiB
  --rego-plans FOLDER            keep compiled policies there for the next start (default: nowhere)
  --replica-name NAME            this replica's name (default: the host's)
  --shutdown-delay DURATION      how long to go on serving after SIGTERM (default 10s)
${decisionUsage}  --log-level LEVEL              debug, info, warn or error (default info)
  --help
`;

const text = { type: "string" } as const;
const options = {
  kubeconfig: text,
  namespace: text,
  "agents-namespace": text,
  "log-level": text,
  "bind-address": text,
  "probe-bind-address": text,
  "metrics-bind-address": text,
  "health-bind-address": text,
  "client-ca-file": text,
  "rego-compiler": text,
  "rego-plans": text,
  "largest-bundle": text,
  "replica-name": text,
  "shutdown-delay": text,
  ...decisionOptions,
  help: { type: "boolean", short: "h" },
} as const;

/** @throws FlagError naming the flag and what it takes */
export function parseFlags(argv: readonly string[]): WebhookFlags | "help" {
  const values = parse(argv);
  if (values.help === true) return "help";
  const logLevel = values["log-level"] ?? "info";
  if (!isLogLevel(logLevel)) {
    throw new FlagError(`--log-level ${JSON.stringify(logLevel)}: use one of ${logLevels.join(", ")}`);
  }
  return {
    kubeconfig: values.kubeconfig,
    namespace: dnsName("--namespace", values.namespace ?? DEFAULT_NAMESPACE),
    agentsNamespace:
      values["agents-namespace"] === undefined
        ? undefined
        : dnsName("--agents-namespace", values["agents-namespace"]),
    logLevel,
    bindAddress: address("--bind-address", values["bind-address"] ?? "0.0.0.0:9443"),
    probeBindAddress: address("--probe-bind-address", values["probe-bind-address"] ?? "0.0.0.0:9444"),
    metricsBindAddress: optionalAddress(
      "--metrics-bind-address",
      values["metrics-bind-address"] ?? "0.0.0.0:8443",
    ),
    healthBindAddress: optionalAddress(
      "--health-bind-address",
      values["health-bind-address"] ?? "0.0.0.0:8081",
    ),
    clientCaFile: values["client-ca-file"],
    regoCompiler: values["rego-compiler"],
    regoPlans: values["rego-plans"],
    largestBundleMiB: mebibytes("--largest-bundle", values["largest-bundle"]),
    replicaName: dnsName("--replica-name", (values["replica-name"] ?? hostname()).toLowerCase()),
    shutdownDelayMs: duration("--shutdown-delay", values["shutdown-delay"] ?? "10s"),
    decisions: parseDecisionFlags(values),
  };
}

/** What a string of JavaScript holds, and so a document can be. */
const mostMebibytes = 511;

function mebibytes(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (number >= 1 && number <= mostMebibytes) return number;
  throw new FlagError(
    `${name} ${JSON.stringify(value.slice(0, 64))}: must be a number from 1 to ${mostMebibytes}`,
  );
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], strict: true, allowPositionals: false, options }).values;
  } catch (cause) {
    throw new FlagError(`${cause instanceof Error ? cause.message : String(cause)} (see --help)`, { cause });
  }
}

function address(flag: string, value: string): BindAddress {
  try {
    return parseBindAddress(value);
  } catch (cause) {
    throw new FlagError(`${flag} ${JSON.stringify(value)}: must be host:port or :port`, { cause });
  }
}

function optionalAddress(flag: string, value: string): BindAddress | undefined {
  return value === "0" ? undefined : address(flag, value);
}

/** The name ends up in that of an object. */
function dnsName(flag: string, value: string): string {
  if (/^[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?$/.test(value)) return value;
  throw new FlagError(`${flag} ${JSON.stringify(value.slice(0, 64))}: must be a DNS name in lower case`);
}
