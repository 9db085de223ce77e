import { z } from "zod";
import { type MatchConstraints, matchConstraints } from "./kubernetes/match-resources.ts";
import { namespaceOfPolicy } from "./namespacedshieldpolicy/policy-name.ts";
import {
  type EnforcedBy,
  effectiveFailurePolicy,
  effectiveReinvocation,
  isJudgedByWebhook,
  mutates,
  validates,
} from "./shieldpolicy/effective.ts";
import type { ShieldPolicySpec } from "./shieldpolicy/schema.ts";

/** What the webhook has to be called for. */
export interface WebhookCalls {
  /** Absent for podSecurity. */
  readonly engine?: "cel" | "rego" | "images" | undefined;
  readonly failurePolicy: "Fail" | "Ignore";
  readonly matchConstraints?: MatchConstraints | undefined;
  readonly exemptNamespaces?: readonly string[] | undefined;
  /** Absent where it changes nothing. */
  readonly mutations?: { readonly reinvocationPolicy: "Never" | "IfNeeded" } | undefined;
  /** False where it only changes objects, and is not asked to judge them. */
  readonly validates?: boolean | undefined;
}

/**
 * A version of a policy that a webhook replica keeps in force because the newest does not compile. Replicas report
 * theirs with what it needs: whoever did not see that version compile cannot know.
 */
export interface KeptPolicy {
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Of one that is judged there because its status says so. */
  readonly isJudgedByStatus?: true | undefined;
  /** Absent where the webhook is not called for it. */
  readonly calls?: WebhookCalls | undefined;
}

/** What one replica keeps. */
export interface KeptPolicies {
  readonly policies: readonly KeptPolicy[];
  /** How many more did not fit. */
  readonly more: number;
}

/** Of a report: annotations of an object share 256 KiB. */
const mostBytes = 128 * 1024;
/** Of that, for policies of tenants: what does not fit of theirs must hold up nothing of the cluster's. */
const mostBytesOfTenants = 32 * 1024;

const reportSchema = z.object({
  policies: z.array(
    z.object({
      name: z.string(),
      uid: z.string(),
      generation: z.int(),
      isJudgedByStatus: z.literal(true).optional(),
      calls: z
        .object({
          engine: z.enum(["cel", "rego", "images"]).optional(),
          failurePolicy: z.enum(["Fail", "Ignore"]),
          matchConstraints: matchConstraints.optional(),
          exemptNamespaces: z.array(z.string()).optional(),
          mutations: z.object({ reinvocationPolicy: z.enum(["Never", "IfNeeded"]) }).optional(),
          validates: z.boolean().optional(),
        })
        .optional(),
    }),
  ),
  more: z.int().min(0),
});

/**
 * Of one version of a policy; undefined when the webhook does not act on requests under it. `enforcedBy`: who does so
 * far, by the policy's status.
 */
export function webhookCallsOf(
  spec: ShieldPolicySpec,
  enforcedBy: EnforcedBy = undefined,
): WebhookCalls | undefined {
  if (spec.actions?.admission === "off" || !isJudgedByWebhook(spec, enforcedBy)) return undefined;
  const { engine } = spec;
  const exemptNamespaces = spec.podSecurity?.exemptions?.namespaces;
  return {
    ...(engine === "podSecurity" ? {} : { engine }),
    failurePolicy: effectiveFailurePolicy(spec),
    ...(spec.matchConstraints === undefined ? {} : { matchConstraints: spec.matchConstraints }),
    ...(exemptNamespaces === undefined ? {} : { exemptNamespaces }),
    ...(mutates(spec) ? { mutations: { reinvocationPolicy: effectiveReinvocation(spec) } } : {}),
    ...(validates(spec) ? {} : { validates: false }),
  };
}

/** As the annotation of a replica's Lease; undefined when there is nothing to say. */
export function formatKeptPolicies(kept: readonly KeptPolicy[]): string | undefined {
  if (kept.length === 0) return undefined;
  const ofTenants = kept.filter(({ name }) => namespaceOfPolicy(name) !== undefined);
  const ofCluster = kept.filter(({ name }) => namespaceOfPolicy(name) === undefined);
  const told = fitting(ofCluster, mostBytes - mostBytesOfTenants);
  const fit = new Set([...told, ...fitting(ofTenants, mostBytesOfTenants)]);
  const policies = kept.filter((policy) => fit.has(policy));
  return JSON.stringify({ policies, more: ofCluster.length - told.length } satisfies KeptPolicies);
}

function fitting(kept: readonly KeptPolicy[], most: number): KeptPolicy[] {
  let bytes = 0;
  return kept.filter((policy) => {
    const size = Buffer.byteLength(JSON.stringify(policy)) + 1;
    if (bytes + size > most) return false;
    bytes += size;
    return true;
  });
}

/** Whatever stands there: what is no such report may be one of a later version, and keeps one policy we cannot name. */
export function parseKeptPolicies(text: string | undefined): KeptPolicies {
  if (text === undefined) return { policies: [], more: 0 };
  try {
    return reportSchema.safeParse(JSON.parse(text)).data ?? { policies: [], more: 1 };
  } catch (error) {
    if (error instanceof SyntaxError) return { policies: [], more: 1 };
    throw error;
  }
}
