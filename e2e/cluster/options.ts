/** What a cluster can be asked for, checked where it comes in. */
import { ClusterError } from "./errors.ts";
import type { KubernetesMinor } from "./types.ts";

export interface ClusterOptions {
  /** Default: `test-` and six random characters. Lower-case letters, digits and hyphens, at most 40 characters. */
  readonly name?: string;
  /** Default 1.37. */
  readonly kubernetes?: KubernetesMinor;
  /** Default 1. */
  readonly apiServers?: 1 | 2;
  /** Default 0: a control plane only, which needs no root. */
  readonly nodes?: 0 | 1 | 2 | 3;
  /** Given to every component. */
  readonly featureGates?: Readonly<Record<string, boolean>>;
  /** API groups and versions to switch on or off, as `--runtime-config` has them. */
  readonly runtimeConfig?: Readonly<Record<string, boolean>>;
  /** Whether the API servers write an audit log: `true` is every request once, without bodies. Default false. */
  readonly audit?: boolean | AuditPolicy;
  /** Further flags for every API server, e.g. `--max-requests-inflight=50`. */
  readonly apiServerArgs?: readonly string[];
  /** Where progress goes; default nowhere. */
  readonly log?: (message: string) => void;
}

/** The parts of an `audit.k8s.io/v1` Policy. */
export interface AuditPolicy {
  readonly rules: readonly Readonly<Record<string, unknown>>[];
  readonly omitStages?: readonly string[];
}

export const namePattern = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;

export function checkOptions(options: ClusterOptions): void {
  const { name, nodes = 0, apiServers = 1 } = options;
  if (name !== undefined && !namePattern.test(name)) {
    throw new ClusterError(
      "INVALID_OPTION",
      `cluster name "${name}": lower-case letters, digits and hyphens, at most 40`,
    );
  }
  if (![0, 1, 2, 3].includes(nodes))
    throw new ClusterError("INVALID_OPTION", `nodes is ${nodes}; it can be 0 to 3`);
  if (![1, 2].includes(apiServers)) {
    throw new ClusterError("INVALID_OPTION", `apiServers is ${apiServers}; it can be 1 or 2`);
  }
}

export type ClusterProvider = "local" | "kind" | "existing";

export interface EnvironmentOptions extends ClusterOptions {
  readonly provider: ClusterProvider;
}

/** Reads NODES, APISERVERS, K8S, GATES, AUDIT and CLUSTER. Throws `INVALID_OPTION` naming the variable and its values. */
export function optionsFromEnvironment(env: NodeJS.ProcessEnv): EnvironmentOptions {
  const provider = oneOf(env, "CLUSTER", ["local", "kind", "existing"], "local");
  const kubernetes = oneOf(env, "K8S", ["1.37", "1.34"], "1.37");
  const nodes = Number(oneOf(env, "NODES", ["0", "1", "2", "3"], "0"));
  const apiServers = Number(oneOf(env, "APISERVERS", ["1", "2"], "1"));
  return {
    provider,
    kubernetes,
    nodes: nodes === 1 || nodes === 2 || nodes === 3 ? nodes : 0,
    apiServers: apiServers === 2 ? 2 : 1,
    featureGates: parseGates(env.GATES ?? ""),
    audit: oneOf(env, "AUDIT", ["0", "1"], "0") === "1",
  };
}

/** `A=true,B=false`, or just `A` for on. */
export function parseGates(text: string): Record<string, boolean> {
  const gates: Record<string, boolean> = {};
  for (const part of text.split(",").filter((item) => item.trim() !== "")) {
    const match = /^\s*(\w+)(?:=(true|false))?\s*$/.exec(part);
    if (!match?.[1]) {
      throw new ClusterError("INVALID_OPTION", `GATES="${text}": "${part}" is not NAME=true or NAME=false`);
    }
    gates[match[1]] = match[2] !== "false";
  }
  return gates;
}

function oneOf<T extends string>(env: NodeJS.ProcessEnv, name: string, values: readonly T[], fallback: T): T {
  const value = env[name];
  if (value === undefined || value === "") return fallback;
  const known = values.find((candidate) => candidate === value);
  if (known === undefined) {
    throw new ClusterError("INVALID_OPTION", `${name}=${value}: it can be ${values.join(", ")}`);
  }
  return known;
}
