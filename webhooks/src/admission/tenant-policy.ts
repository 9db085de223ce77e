import { asShieldPolicy, InvalidObjectError, parseNamespacedShieldPolicy } from "@shieldx/crds";
import {
  isTransient,
  MAX_TENANT_POLICIES,
  neverJudgedNamespaces,
  PolicyCompileError,
  type RegoPolicies,
} from "@shieldx/policy-engine";
import type { AdmissionAnswer, AdmissionRequest } from "../server/admission-review.ts";
import { invalid } from "./exceptions.ts";
import type { FindReadable } from "./readable.ts";
import { tryPolicy } from "./try-policy.ts";

export interface TenantPolicyParts {
  /** Names of the NamespacedShieldPolicies there are in a namespace. */
  readonly policiesIn: (namespace: string) => readonly string[];
  /** ShieldX's own namespaces. */
  readonly neverJudged: readonly string[];
  readonly serverMinor: () => number;
  readonly rego: Pick<RegoPolicies, "prepare" | "state">;
  readonly findReadable: FindReadable;
}

/** Of the time there is, for asking what the author may read. */
const shareForRights = 0.3;

/** Checks a NamespacedShieldPolicy for what its schema cannot say. */
export async function judgeTenantPolicy(
  request: AdmissionRequest,
  parts: TenantPolicyParts,
  deadlineMs: number,
): Promise<AdmissionAnswer> {
  const { namespace = "" } = request;
  if ([...neverJudgedNamespaces, ...parts.neverJudged].includes(namespace))
    return invalid(
      `metadata.namespace: no policy acts in namespace "${namespace}", so that the cluster can be brought back: put it into another`,
    );
  const warnings: string[] = [];
  try {
    const written = parseNamespacedShieldPolicy(request.object, { unknownFields: "drop" });
    const policy = asShieldPolicy({ ...written, metadata: { ...written.metadata, namespace } });
    const others = parts.policiesIn(namespace).filter((name) => name !== written.metadata.name);
    if (request.operation === "CREATE" && others.length >= MAX_TENANT_POLICIES)
      return invalid(
        `metadata.namespace: namespace "${namespace}" has ${others.length} NamespacedShieldPolicies, and may have ${MAX_TENANT_POLICIES}: put several rules into one, or delete some`,
      );
    const rights = await parts.findReadable(
      policy.spec,
      namespace,
      request.userInfo,
      deadlineMs * shareForRights,
    );
    if (rights.problems.length > 0) return invalid(rights.problems.join("; "));
    warnings.push(...rights.unknown);
    const compileMs = deadlineMs * (1 - shareForRights);
    await tryPolicy(policy, parts.rego, { serverMinor: parts.serverMinor() }, compileMs);
  } catch (error) {
    if (error instanceof InvalidObjectError) return invalid(error.message);
    if (!(error instanceof PolicyCompileError)) throw error;
    if (!isTransient(error.code)) return invalid(error.message);
    warnings.push(`not checked in time; the policy's conditions will tell: ${error.message}`);
  }
  return { allowed: true, ...(warnings.length === 0 ? {} : { warnings }) };
}
