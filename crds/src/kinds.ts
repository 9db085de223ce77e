import type { KindDefinition } from "./definition/kind.ts";
import { shieldExceptionKind } from "./shieldexception/schema.ts";
import { shieldPolicyKind } from "./shieldpolicy/schema.ts";

/** Every kind of ours, in the order the reference lists them. */
export const kinds: readonly KindDefinition[] = [shieldPolicyKind, shieldExceptionKind];
