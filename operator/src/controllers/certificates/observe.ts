import type {
  EndpointSlice,
  Lease,
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "@shieldx/controller-runtime";
import type { Observations } from "@shieldx/pki";
import type { ReplicaReport } from "../../replicas.ts";

/** How long after the read-back to wait where several API servers share one address; watches lag far less. */
export const SHARED_ADDRESS_WAIT_MS = 60_000;

/** `https` endpoints of the Service `kubernetes`, as `address:port` (IPv6 in brackets), sorted. */
export function apiServerEndpoints(slices: readonly EndpointSlice[]): string[] {
  const endpoints = new Set<string>();
  for (const slice of slices) {
    const port = slice.ports?.find(({ name }) => name === "https")?.port ?? slice.ports?.[0]?.port;
    if (port === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.conditions?.ready === false) continue;
      for (const address of endpoint.addresses) {
        endpoints.add(address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`);
      }
    }
  }
  return [...endpoints].sort();
}

/**
 * Whether API servers hide behind the addresses we know: each keeps an identity Lease in kube-system (KEP-1965), so
 * more Leases in use than addresses means that some server cannot be asked by itself.
 */
export function serversShareAddress(identityLeases: readonly Lease[], addresses: number): boolean {
  const renewals = identityLeases
    .map(({ spec }) => ({
      at: Date.parse(spec?.renewTime ?? ""),
      forMs: (spec?.leaseDurationSeconds ?? 3600) * 1000,
    }))
    .filter(({ at }) => !Number.isNaN(at));
  // Judged by the newest of their own clocks, so that ours does not matter. A server renews every 10 s.
  const newest = Math.max(...renewals.map(({ at }) => at));
  const inUse = renewals.filter(({ at, forMs }) => newest - at < Math.min(forMs, 60_000));
  return inUse.length > addresses;
}

/** caBundles of every entry, as PEM, by configuration. An entry without one counts as an empty bundle. */
export function publishedBundles(
  configurations: readonly (ValidatingWebhookConfiguration | MutatingWebhookConfiguration | undefined)[],
): Record<string, string[]> {
  const bundles: Record<string, string[]> = {};
  for (const configuration of configurations) {
    if (configuration === undefined) continue;
    bundles[configuration.metadata.name] = (configuration.webhooks ?? []).map((entry) =>
      Buffer.from(entry.clientConfig.caBundle ?? "", "base64").toString("utf8"),
    );
  }
  return bundles;
}

export interface CertificateInputs {
  readonly configurations: readonly (
    | ValidatingWebhookConfiguration
    | MutatingWebhookConfiguration
    | undefined
  )[];
  readonly slices: readonly EndpointSlice[];
  readonly identityLeases: readonly Lease[];
  readonly replicas: readonly ReplicaReport[];
  readonly probes: NonNullable<Observations["probes"]>;
  readonly rotate: string | undefined;
}

export function certificateObservations(inputs: CertificateInputs): Observations {
  const servers = apiServerEndpoints(inputs.slices);
  return {
    configurations: publishedBundles(inputs.configurations),
    servers,
    probes: inputs.probes,
    handshakes: serversShareAddress(inputs.identityLeases, servers.length)
      ? { waitMs: SHARED_ADDRESS_WAIT_MS }
      : "per-server",
    replicas: inputs.replicas.map(({ name, servingLeaf, candidateLeaf }) => ({
      name,
      ...(servingLeaf === undefined ? {} : { servingLeaf }),
      ...(candidateLeaf === undefined ? {} : { candidateLeaf }),
    })),
    ...(inputs.rotate === undefined ? {} : { rotate: inputs.rotate }),
  };
}
