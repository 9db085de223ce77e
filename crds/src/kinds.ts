import type { KindDefinition } from "./definition/kind.ts";
import { namespacedShieldPolicyKind } from "./namespacedshieldpolicy/schema.ts";
import { shieldBreakGlassKind } from "./shieldbreakglass/schema.ts";
import { shieldCleanupKind } from "./shieldcleanup/schema.ts";
import { shieldExceptionKind } from "./shieldexception/schema.ts";
import { shieldGeneratorKind } from "./shieldgenerator/schema.ts";
import { shieldPolicyKind } from "./shieldpolicy/schema.ts";

/** Every kind of ours, in the order the reference lists them. */
export const kinds: readonly KindDefinition[] = [
  shieldPolicyKind,
  namespacedShieldPolicyKind,
  shieldExceptionKind,
  shieldGeneratorKind,
  shieldCleanupKind,
  shieldBreakGlassKind,
];
