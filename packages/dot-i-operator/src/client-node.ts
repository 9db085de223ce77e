import { createRequire } from "node:module";
import { join } from "node:path";

/** The part of `@kubernetes/client-node` that the original's fields are made of. */
interface ClientNode {
  KubeConfig: new () => {
    loadFromDefault(): void;
    makeApiClient(api: unknown): unknown;
  };
  CoreV1Api: unknown;
}

/**
 * Thrown when an operator uses `this.kubeConfig` or `this.k8sApi` and `@kubernetes/client-node`, whose classes they
 * are, is not installed. Nothing else here needs it.
 */
export class ClientNodeMissingError extends Error {
  readonly code = "CLIENT_NODE_MISSING";
  override readonly name = "ClientNodeMissingError";
  constructor(cause: unknown) {
    super(
      "this.kubeConfig and this.k8sApi are objects of @kubernetes/client-node, which is not installed: " +
        "npm install @kubernetes/client-node@0.20 (what @dot-i/k8s-operator brought), or use this.client",
      { cause },
    );
  }
}

/** Loads the operator's own client-node: looked for beside this package, the main module, and the working folder. */
export function loadClientNode(): ClientNode {
  const places = [import.meta.url, process.argv[1], join(process.cwd(), "package.json")];
  let failure: unknown;
  for (const place of places) {
    if (place === undefined) continue;
    try {
      return createRequire(place)("@kubernetes/client-node") as ClientNode;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
      failure = error;
    }
  }
  throw new ClientNodeMissingError(failure);
}
