import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { type Clock, realClock } from "../clock/clock.ts";
import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { Credentials } from "./credentials.ts";
import { CredentialsError } from "./credentials-error.ts";
import { inClusterCredentials, isInCluster } from "./in-cluster.ts";

export interface LoadCredentialsOptions {
  /** Path, or several separated by `:`. Default: KUBECONFIG, then the Pod's service account, then ~/.kube/config. */
  kubeconfig?: string | undefined;
  /** Default: the kubeconfig's current context. */
  context?: string | undefined;
  logger?: Logger;
  clock?: Clock;
  env?: NodeJS.ProcessEnv;
}

/**
 * Finds the identity to talk to an API server with.
 * @throws CredentialsError whose one-line message says what is missing and what to do
 */
export async function loadCredentials(options: LoadCredentialsOptions = {}): Promise<Credentials> {
  const { logger = silentLogger, clock = realClock, env = process.env, context } = options;
  const named = options.kubeconfig ?? (env.KUBECONFIG === "" ? undefined : env.KUBECONFIG);
  if (named === undefined && context === undefined && isInCluster(env))
    return inClusterCredentials(clock, logger, env);
  const home = join(env.HOME ?? homedir(), ".kube", "config");
  const paths = named ?? (existsSync(home) ? home : undefined);
  if (paths === undefined) {
    throw new CredentialsError(
      "NothingConfigured",
      `no kubeconfig: KUBECONFIG is not set, ${home} does not exist, and this is no Pod`,
      "pass --kubeconfig or set KUBECONFIG",
    );
  }
  // Loaded only here: a Pod never needs a YAML parser for its own identity.
  const { kubeconfigCredentials } = await import("./kubeconfig-credentials.ts");
  const credentials = await kubeconfigCredentials(paths, context, clock, logger);
  await credentials.current();
  return credentials;
}
