import {
  type CompiledPolicy,
  compileException,
  type ExceptionStanding,
  PolicyCompileError,
  standingOf,
} from "@shieldx/policy-engine";
import { asException, type ShieldExceptionObject } from "./kinds.ts";

/** What a policy makes of an exception; one that cannot be read is honoured by nobody. */
export function standingFor(
  policy: CompiledPolicy,
  exception: ShieldExceptionObject,
  now: number,
  namespaceLabels: Readonly<Record<string, string>> | undefined,
): ExceptionStanding {
  try {
    return standingOf(policy.exceptions, compileException(asException(exception)), now, namespaceLabels);
  } catch (error) {
    if (!(error instanceof PolicyCompileError)) throw error;
    return { honoured: false, code: "PolicyNotNamed", message: error.message };
  }
}
