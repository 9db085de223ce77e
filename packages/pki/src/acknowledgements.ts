import { sameBundle } from "./certificate.ts";
import type { Observations } from "./trust-bundle.ts";

// Each gate returns the sentences of what is missing; an empty list opens it. What was not observed is missing.

/** Every entry of every webhook configuration, as read back, carries exactly this bundle. */
export function bundleGate(observed: Observations, caBundle: string): string[] {
  if (observed.configurations === undefined)
    return ["the webhook configurations have not been read back yet"];
  return Object.entries(observed.configurations)
    .filter(([, bundles]) => !bundles.every((bundle) => sameBundle(bundle, caBundle)))
    .map(([name]) => `webhook configuration ${name} does not yet carry the published CA bundle`);
}

/**
 * Every replica reports this leaf in the given place, and at least one does: a report of the leaf is also the proof
 * that the Secret with it has been written.
 */
export function replicaGate(
  observed: Observations,
  place: "servingLeaf" | "candidateLeaf",
  leafFingerprint: string,
): string[] {
  const replicas = observed.replicas;
  if (replicas === undefined) return ["the webhook replicas have not been observed yet"];
  if (replicas.length === 0) return ["no webhook replica is running"];
  const verb =
    place === "servingLeaf" ? "does not yet serve the new leaf" : "has not yet loaded the candidate leaf";
  return replicas
    .filter((replica) => replica[place] !== leafFingerprint)
    .map((replica) => `webhook replica ${replica.name} ${verb}`);
}

/** Every API server was seen to accept this leaf under every webhook configuration. */
export function probeGate(observed: Observations, leafFingerprint: string): string[] {
  const servers = observed.servers;
  if (servers === undefined || servers.length === 0) return ["no API server endpoint is known yet"];
  const configurations = Object.keys(observed.configurations ?? {});
  return servers.flatMap((server) => {
    const missing = configurations.filter((name) => observed.probes?.[server]?.[name] !== leafFingerprint);
    if (missing.length === 0) return [];
    const sentence = `API server ${server} has not yet completed a handshake with the candidate leaf`;
    return [missing.length === configurations.length ? sentence : `${sentence} under ${missing.join(", ")}`];
  });
}
