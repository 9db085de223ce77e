import { CelError } from "../errors.ts";
import { opaqueType, structType } from "../types.ts";
import { CelOpaque, type CelValue } from "../values.ts";

/**
 * The types that Kubernetes adds to CEL, by the names that `type(x)` and messages show. Most are declared as object
 * types though they have no fields (ObjectType in apiserver's pkg/cel), which the checker's messages give away.
 */
export const AUTHORIZER = structType("kubernetes.authorization.Authorizer");
export const PATH_CHECK = structType("kubernetes.authorization.PathCheck");
export const GROUP_CHECK = structType("kubernetes.authorization.GroupCheck");
export const RESOURCE_CHECK = structType("kubernetes.authorization.ResourceCheck");
export const DECISION = structType("kubernetes.authorization.Decision");
export const URL_TYPE = structType("kubernetes.URL");
export const QUANTITY = structType("kubernetes.Quantity");
export const SEMVER = structType("kubernetes.Semver");
export const NAMED_FORMAT = structType("kubernetes.NamedFormat");
export const IP = opaqueType("net.IP");
export const CIDR = opaqueType("net.CIDR");

/**
 * A value of one of these types. To compare it with a value of another type is an error and not false, unlike
 * CEL's own types: so it is in apiserver's pkg/cel, and policies that mix up `quantity(x)` and `x` find out.
 */
export abstract class KubernetesValue extends CelOpaque {
  equals(other: CelValue): boolean {
    if (other === null) return false;
    if (!(other instanceof KubernetesValue) || other.type !== this.type) throw noSuchOverload();
    return this.equalsSameType(other);
  }

  /** `other` is of the same `type`, hence of the same class. */
  protected abstract equalsSameType(other: KubernetesValue): boolean;
}

export function noSuchOverload(): CelError {
  return new CelError("no such overload");
}

/** The argument as a string. Dispatch has seen to it; a mistake there must not reach foreign text as a crash. */
export function asText(value: CelValue): string {
  if (typeof value !== "string") throw noSuchOverload();
  return value;
}

/** The argument as a value of a class, in the same way. */
export function asInstance<T>(value: CelValue, type: abstract new (...args: never) => T): T {
  if (!(value instanceof type)) throw noSuchOverload();
  return value;
}
