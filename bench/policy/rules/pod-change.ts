import type { Manifest } from "../../../e2e/shieldx/objects.ts";
import { typicalPod } from "../../admission/pods.ts";

/** How a Pod differs from `typicalPod`. */
export interface PodChange {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Manifest;
  /** Laid over the Pod's security context. */
  readonly podSecurityContext?: Manifest;
  /** Laid over the first container, … */
  readonly container?: Manifest;
  /** … and over its security context. */
  readonly securityContext?: Manifest;
}

const part = (of: Manifest | undefined, key: string): Manifest => (of?.[key] ?? {}) as Manifest;

/** The typical Pod with a change. */
export function changedPod(name: string, change: PodChange): Manifest {
  const pod = typicalPod(name);
  const metadata = part(pod, "metadata");
  const spec = part(pod, "spec");
  const [first, ...others] = spec.containers as readonly Manifest[];
  return {
    ...pod,
    metadata: {
      ...metadata,
      labels: { ...part(metadata, "labels"), ...change.labels },
      annotations: { ...part(metadata, "annotations"), ...change.annotations },
    },
    spec: {
      ...spec,
      ...change.spec,
      securityContext: { ...part(spec, "securityContext"), ...change.podSecurityContext },
      containers: [
        {
          ...first,
          ...change.container,
          securityContext: { ...part(first, "securityContext"), ...change.securityContext },
        },
        ...others,
      ],
    },
  };
}
