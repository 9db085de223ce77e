import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../clock/clock.ts";
import { type Logger, silentLogger } from "../kubernetes/logger.ts";
import type { Credentials } from "./credentials.ts";
import { CredentialsError } from "./credentials-error.ts";
import { ReloadingAuth } from "./reloading-auth.ts";

/** Where the kubelet mounts a Pod's service account. */
export const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Whether this process runs in a Pod that has a service account. */
export function isInCluster(env: NodeJS.ProcessEnv = process.env, folder = serviceAccountFolder): boolean {
  return (env.KUBERNETES_SERVICE_HOST ?? "") !== "" && existsSync(join(folder, "token"));
}

/**
 * The Pod's own service account. Token and CA are read again each minute, and at once after a 401.
 * @throws CredentialsError `NotInCluster`, or when its files cannot be read
 */
export async function inClusterCredentials(
  clock: Clock,
  logger: Logger = silentLogger,
  env: NodeJS.ProcessEnv = process.env,
  folder = serviceAccountFolder,
): Promise<Credentials> {
  const host = env.KUBERNETES_SERVICE_HOST ?? "";
  const port = env.KUBERNETES_SERVICE_PORT_HTTPS ?? env.KUBERNETES_SERVICE_PORT ?? "443";
  if (host === "") {
    throw new CredentialsError(
      "NotInCluster",
      "KUBERNETES_SERVICE_HOST is not set, so this is no Pod",
      "pass --kubeconfig or set KUBECONFIG",
    );
  }
  const auth = new ReloadingAuth(
    { token: { file: join(folder, "token") }, ca: { file: join(folder, "ca.crt") } },
    clock,
    logger,
  );
  await auth.current();
  const namespace = await namespaceOf(folder);
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    source: "in-cluster",
    ...(namespace === undefined ? {} : { namespace }),
    current: () => auth.current(),
    refresh: (refused) => auth.refresh(refused),
  };
}

async function namespaceOf(folder: string): Promise<string | undefined> {
  try {
    const text = (await readFile(join(folder, "namespace"), "utf8")).trim();
    return text === "" ? undefined : text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined; // projected by hand, without it
    throw error;
  }
}
