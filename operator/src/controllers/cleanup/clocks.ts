import { type Client, Lease } from "@shieldx/controller-runtime";
import type { OperatorContext } from "../../context.ts";
import type { Clocks } from "./schedule.ts";

/**
 * Reads the API server's clock by what it would date a new object: that clock also dated those whose age is asked for. Nothing is
 * stored.
 * @throws ApiError, TransportError
 */
export async function readClocks(
  client: Client,
  { namespace, clock }: Pick<OperatorContext, "namespace" | "clock">,
): Promise<Clocks> {
  const dated = await client.create(
    Lease,
    {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name: "", generateName: "shieldx-clock-", namespace },
    } as Lease,
    { dryRun: true },
  );
  const serverMs = Date.parse(dated.metadata.creationTimestamp ?? "");
  if (!Number.isFinite(serverMs)) throw new Error("the API server dated an object by no time at all");
  return { serverMs, ownMs: clock.now(), monotonicMs: clock.monotonicNow() };
}
