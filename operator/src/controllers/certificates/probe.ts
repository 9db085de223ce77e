import { ApiError, type Client, ConfigMap, TransportError } from "@shieldx/controller-runtime";
import { LABEL } from "@shieldx/crds";
import { fingerprintIn, type ProbeTarget } from "./decide.ts";

export interface ProbeResult extends ProbeTarget {
  /** Leaf the API server accepted; undefined when it did not get that far. */
  readonly fingerprint: string | undefined;
  readonly problem: string | undefined;
}

/**
 * Asks one API server, by its own address, to create a ConfigMap that only the probe webhook of one configuration
 * matches. It is a dry run: nothing is stored whatever the answer is. The webhook's refusal names the leaf it serves
 * there, so it can only come back through a handshake this very server completed.
 */
export async function probe(
  client: Client,
  target: ProbeTarget,
  namespace: string,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const direct = client.withServer(`https://${target.server}`);
  const object: ConfigMap = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "shieldx-handshake-probe",
      namespace,
      labels: { [LABEL.handshakeProbe]: target.configuration },
    },
  };
  try {
    await direct.create(ConfigMap, object, { dryRun: true, signal, timeoutMs: 4_000, retries: 0 });
    return {
      ...target,
      fingerprint: undefined,
      problem: "the API server does not send the probe to the webhook yet",
    };
  } catch (error) {
    if (!(error instanceof ApiError) && !(error instanceof TransportError)) throw error;
    const fingerprint = error instanceof ApiError ? fingerprintIn(error.message) : undefined;
    return { ...target, fingerprint, problem: fingerprint === undefined ? error.message : undefined };
  }
}
