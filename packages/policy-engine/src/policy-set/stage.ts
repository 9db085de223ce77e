import { actsInNamespace } from "@shieldx/crds";
import type { CompiledPolicy } from "./compile.ts";
import type { AdmissionRequestLike } from "./request.ts";

/**
 * The versions of a policy that act on requests: the newest, and the one before it where that does not. On any one request
 * only one of them does.
 */
export function actingVersions(policy: CompiledPolicy): readonly CompiledPolicy[] {
  const { stage } = policy;
  if (stage === undefined) return [policy];
  const { inForce } = stage;
  return [
    ...(stage.percent === 0 ? [] : [acting(policy)]),
    ...(inForce === undefined || stage.percent === 100 ? [] : [{ ...inForce, actsOn: elsewhere(policy) }]),
  ];
}

/** Everywhere it is called for by both, so that no request meets none while the configurations are written. */
function acting(policy: CompiledPolicy): CompiledPolicy {
  const calledBy = policy.stage?.percent === 100 ? "either" : "Ignore";
  return { ...policy, calledBy, actsOn: (request) => acts(policy, request) };
}

/** The newest version as it is held, without acting, against what it does not act on. */
export function shadowsOf(policy: CompiledPolicy): readonly CompiledPolicy[] {
  if (policy.stage === undefined || policy.stage.percent === 100 || policy.admission === "off") return [];
  return [{ ...policy, calledBy: "Ignore", actsOn: elsewhere(policy) }];
}

function elsewhere(policy: CompiledPolicy): (request: AdmissionRequestLike) => boolean {
  return (request) => !acts(policy, request);
}

/** Whether the newest version acts on the request. What is in no namespace comes last, when it acts everywhere. */
function acts({ name, stage }: CompiledPolicy, { namespace = "", resource }: AdmissionRequestLike): boolean {
  if (stage === undefined || stage.percent === 100) return true;
  const isInNamespace = namespace !== "" && !(resource.group === "" && resource.resource === "namespaces");
  return isInNamespace && actsInNamespace(name, stage.percent, namespace);
}
