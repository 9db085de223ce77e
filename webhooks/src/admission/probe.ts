import { LABEL } from "@shieldx/crds";
import type { AdmissionHandler } from "../server/webhook-server.ts";

/**
 * Answers the operator's handshake probe, a dry-run ConfigMap that carries the probe's label. It is always refused, so
 * nothing is stored even if it was no dry run, and the refusal names the leaf of the very connection it came over: it
 * can reach the operator only through an API server that accepted this leaf.
 */
export const probeHandler: AdmissionHandler = (request, { leaf }) => {
  const configuration = labelOf(request.object);
  const about =
    configuration === undefined ? "" : ` under webhook configuration ${configuration.slice(0, 63)}`;
  const message = `ShieldX handshake probe${about}: the API server accepted leaf ${leaf}`;
  return { allowed: false, status: { code: 403, reason: "Forbidden", message } };
};

function labelOf(object: unknown): string | undefined {
  const labels = (object as { metadata?: { labels?: Record<string, unknown> | null } | null } | undefined)
    ?.metadata?.labels;
  const value = labels?.[LABEL.handshakeProbe];
  return typeof value === "string" && /^[a-z0-9.-]+$/.test(value) ? value : undefined;
}
