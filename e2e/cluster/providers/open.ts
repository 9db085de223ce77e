/** The cluster a suite runs against: one of ours, or with `CLUSTER=kind` or `CLUSTER=existing` somebody else's. */
import type { BasicCluster } from "../cluster.ts";
import { type EnvironmentOptions, optionsFromEnvironment } from "../options.ts";
import { startCluster } from "../start.ts";
import { openForeignCluster } from "./foreign.ts";
import { openKindCluster, whyNoKind } from "./kind.ts";

export type OpenedCluster =
  | { readonly kind: "open"; readonly cluster: BasicCluster }
  /** The caller says so where a person sees it. */
  | { readonly kind: "skipped"; readonly reason: string };

/** An existing cluster is never stopped by `stop()`. Throws what `startCluster` throws, and `CLUSTER_UNUSABLE`. */
export async function openCluster(
  options: EnvironmentOptions = optionsFromEnvironment(process.env),
): Promise<OpenedCluster> {
  const log = options.log ?? (() => undefined);
  switch (options.provider) {
    case "local":
      return { kind: "open", cluster: await startCluster(options) };
    case "existing": {
      const cluster = await openForeignCluster({ name: "existing", stop: () => Promise.resolve() });
      return { kind: "open", cluster };
    }
    case "kind": {
      const reason = await whyNoKind();
      if (reason !== undefined) return { kind: "skipped", reason: `CLUSTER=kind: ${reason}` };
      return { kind: "open", cluster: await openKindCluster(options.name ?? "test", log) };
    }
    default:
      return options.provider satisfies never;
  }
}
