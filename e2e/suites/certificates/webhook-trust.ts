// What is published and served for the webhook's TLS, seen from outside.
import { connect } from "node:tls";
import {
  ApiError,
  type Client,
  ConfigMap,
  Secret,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import {
  desiredOf,
  fingerprintFromColons,
  readTlsSecret,
  readTrustBundle,
  type TrustBundlePhase,
} from "@shieldx/pki";

const namespace = "shieldx-system";
export const caSecret = { name: "shieldx-webhooks-ca", namespace } as const;
const tlsSecret = { name: "shieldx-webhooks-tls", namespace } as const;
export const configurationNames = ["shieldx-kinds", "shieldx-policies-fail"] as const;

export interface Trust {
  readonly phase: TrustBundlePhase;
  /** The CA bundle that is to be trusted, PEM. */
  readonly bundle: string;
  /** Fingerprint of the leaf that is to be served. */
  readonly leaf: string;
  /** The last rotation asked for that was obeyed. */
  readonly handled: string | undefined;
}

function decoded(secret: Secret): Record<string, string> {
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, value]) => [
      key,
      Buffer.from(value, "base64").toString("utf8"),
    ]),
  );
}

export async function readTrust(client: Client): Promise<Trust> {
  const state = readTrustBundle(decoded(await client.get(Secret, caSecret)));
  return {
    phase: state.phase,
    bundle: desiredOf(state).caBundle,
    leaf: state.serving.fingerprint,
    handled: state.handledRotation,
  };
}

/** Fingerprint of the leaf the replicas are given. */
export async function servedSecretLeaf(client: Client): Promise<string> {
  return readTlsSecret(decoded(await client.get(Secret, tlsSecret))).serving.fingerprint;
}

/** Asks for one rotation of the CA in the documented way. `nonce` must be new. */
export async function requestRotation(client: Client, nonce: string): Promise<void> {
  const annotations = { "shieldx.io/rotate": `ca:${nonce}` };
  await client.patch(Secret, caSecret, { metadata: { annotations } }, { type: "merge" });
}

/** Every caBundle of every webhook configuration in the cluster, as PEM. */
export async function publishedBundles(client: Client): Promise<string[]> {
  const { items } = await client.list(ValidatingWebhookConfiguration);
  return items.flatMap((configuration) =>
    (configuration.webhooks ?? []).map((entry) =>
      Buffer.from(entry.clientConfig.caBundle ?? "", "base64").toString("utf8"),
    ),
  );
}

/** The leaf this API server meets when it calls the webhook under this configuration; throws what else it says. */
export async function leafMetBy(client: Client, configuration: string): Promise<string> {
  const probe: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "from-a-test", namespace, labels: { "shieldx.io/handshake-probe": configuration } },
  };
  try {
    await client.create(ConfigMap, probe, { dryRun: true, retries: 0 });
  } catch (error) {
    const leaf = error instanceof ApiError ? /\b[0-9a-f]{64}\b/.exec(error.message)?.[0] : undefined;
    if (leaf !== undefined) return leaf;
    throw error;
  }
  throw new Error(`${client.server} did not send the probe under ${configuration} to the webhook`);
}

/** Fingerprint of the leaf a client that trusts only `bundle` meets; rejects with OpenSSL's code when it trusts none. */
export async function handshake(url: string, bundle: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return await new Promise<string>((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), ca: bundle, minVersion: "TLSv1.3" }, () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.end();
      resolve(fingerprintFromColons(fingerprint256));
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error("no handshake within 10 s")));
    socket.once("error", reject);
  });
}
