import * as z from "zod";
import { matchConstraints } from "../kubernetes/match-resources.ts";
import { actions } from "./actions.ts";
import { celFields } from "./cel.ts";
import { exceptions } from "./exceptions.ts";
import { mutationFields } from "./mutations.ts";
import { podSecurity } from "./pod-security.ts";
import { rego } from "./rego.ts";
import { rollout } from "./rollout.ts";
import { policyTests } from "./tests.ts";
import { verifyImages } from "./verify-images.ts";

/** `spec` of a ShieldPolicy without its cross-field rules, which are in `rules.ts`. */
export const specFields = z.object({
  engine: z
    .enum(["podSecurity", "cel", "rego", "images"])
    .describe(
      "How the policy is written: podSecurity is a level of the Pod Security Standards, cel the syntax of " +
        "ValidatingAdmissionPolicy, rego OPA's language, images says who must have signed images.",
    ),
  podSecurity: podSecurity
    .describe("Level of the Pod Security Standards that Pods must keep, for engine podSecurity.")
    .exactOptional(),
  matchConstraints: matchConstraints
    .describe("Which requests the policy is about, shaped as in ValidatingAdmissionPolicy.")
    .exactOptional(),
  ...celFields,
  rego: rego.describe("Policy in OPA's language Rego, for engine rego.").exactOptional(),
  verifyImages: verifyImages
    .describe("Signatures that the images of Pods must carry, for engine images.")
    .exactOptional(),
  ...mutationFields,
  actions: actions.describe(
    "What the policy does, separately for requests and for objects that already exist.",
  ),
  evaluation: z
    .enum(["Native", "Webhook", "Auto"])
    .default("Auto")
    .describe(
      "Who evaluates: Native renders a ValidatingAdmissionPolicy (for mutations a MutatingAdmissionPolicy, Kubernetes 1.36 and " +
        "later) that the API server evaluates itself, Webhook asks ShieldX, Auto takes the cheaper one that can do it. Only " +
        "engine cel has a native form. status.enforcedBy tells which it is.",
    ),
  failurePolicy: z
    .enum(["Fail", "Ignore"])
    .describe(
      "What happens to a request while the policy cannot be evaluated: Fail refuses it, Ignore lets it pass (objects that slip " +
        "through are found by the background audit). Left out, it is Fail when actions.admission is deny, else Ignore.",
    )
    .exactOptional(),
  exceptions: exceptions
    .describe("Which ShieldExceptions the policy honours; left out, none.")
    .exactOptional(),
  tests: policyTests
    .describe(
      "Cases the policy must pass before it goes into force; while one fails, the version before stays. An object is judged as " +
        "the policy's own mutations make it; a case whose mutations fail comes to no verdict.",
    )
    .exactOptional(),
  rollout: rollout
    .describe(
      "Stages in which a version of the policy goes into force: shadow, canary, bake, then everywhere; it can go back by itself. " +
        "Until then the version before holds where the new one does not act. Left out, a version is in force at once.",
    )
    .exactOptional(),
});

/** What a rule of `spec` sees: the spec with defaults applied. */
export type SpecFields = z.output<typeof specFields>;
