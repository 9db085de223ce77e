import type { ShieldPolicy } from "@shieldx/crds";
import { compilePolicy, PolicyCompileError } from "@shieldx/policy-engine";
import { type ShieldLanguage, shieldPolicies } from "./render/shield-policies.ts";
import { rulesOf } from "./rules/rules.ts";

/** Whether the engine takes policies in this language: a row that it does not take is reported as not built. */
export function isBuilt(language: ShieldLanguage): boolean {
  const [policy] = shieldPolicies("built", language, rulesOf(1));
  try {
    compilePolicy(policy as unknown as ShieldPolicy, { serverMinor: 37 });
    return true;
  } catch (error) {
    if (error instanceof PolicyCompileError && error.code === "NotYetSupported") return false;
    throw error;
  }
}
