/** The part of an `admission.k8s.io/v1` AdmissionRequest that policies look at. */
export interface AdmissionRequestLike {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string };
  readonly resource: GroupVersionResource;
  readonly requestKind?: AdmissionRequestLike["kind"] | undefined;
  /** What the client asked for, where that differs from what the webhook registered for. */
  readonly requestResource?: GroupVersionResource | undefined;
  readonly subResource?: string | undefined;
  readonly requestSubResource?: string | undefined;
  /** Empty on CREATE with `generateName`. */
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly operation: string;
  readonly userInfo: {
    readonly username?: string | undefined;
    readonly groups?: readonly string[] | undefined;
    readonly uid?: string | undefined;
    readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
  };
  readonly object?: unknown;
  readonly oldObject?: unknown;
  readonly dryRun?: boolean | undefined;
  /** `CreateOptions`, `UpdateOptions` and the like. */
  readonly options?: unknown;
}

export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export type FailurePolicy = "Fail" | "Ignore";

/**
 * Namespaces no policy reaches, so that the cluster can always be brought back. Only such as every API server makes
 * itself: a name that nobody holds would be an exemption for whoever creates it. ShieldX's own come as `neverJudged`.
 */
export const neverJudgedNamespaces: readonly string[] = ["kube-node-lease", "kube-system"];
