/**
 * Fields whose shape is decided and whose behaviour is not built yet. Each is refused by a rule in `rules.ts` that
 * says what to do instead; removing that rule is what switches the field on, so that no served version changes.
 */
import * as z from "zod";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { duration } from "../kubernetes/names.ts";
import { anyObject, atomicList, mapList, text, wholeNumber } from "../structural/fields.ts";

const LATER = "Not yet supported. ";

const rollout = z.object({
  shadow: z
    .object({ duration: duration().describe("How long to evaluate without acting.") })
    .describe("First stage: the policy is evaluated and counted, and acts on nothing.")
    .exactOptional(),
  canary: z
    .object({
      steps: atomicList(
        z
          .object({
            percent: wholeNumber({ min: 1, max: 99 }).describe(
              "Share of namespaces, chosen by hash, in percent.",
            ),
            duration: duration().describe("How long the step lasts before the next one begins."),
          })
          .describe("One step."),
        { min: 1, max: 10 },
      ).describe("Growing shares of namespaces in which the policy acts."),
    })
    .describe("Second stage: the policy acts in a share of the namespaces.")
    .exactOptional(),
  rollback: z
    .object({
      maxDenialPercent: wholeNumber({ min: 0, max: 100 })
        .describe("Go back when more than this share of requests is denied.")
        .exactOptional(),
      maxErrorPercent: wholeNumber({ min: 0, max: 100 })
        .describe("Go back when more than this share of evaluations fails.")
        .exactOptional(),
      maxLatencyMilliseconds: wholeNumber({ min: 1, max: 30_000 })
        .describe("Go back when the 99th percentile of evaluation time exceeds this.")
        .exactOptional(),
    })
    .describe("When to go back to the stage before without being asked.")
    .exactOptional(),
  paused: z.boolean().describe("Stay in the present stage.").exactOptional(),
});

const generated = z
  .object({
    name: text({ min: 1, max: 63 }).describe("Name of the entry."),
    object: anyObject().describe("Object to create, complete but for its namespace."),
    namespaceSelector: labelSelector().describe("Namespaces that receive the object."),
    synchronize: z
      .boolean()
      .default(true)
      .describe("Whether the object is kept as written here, and removed with the policy."),
  })
  .describe("One object to keep in every selected namespace.");

const imageVerification = z
  .object({
    name: text({ min: 1, max: 63 }).describe("Name of the entry."),
    images: atomicList(text({ min: 1, max: 512 }).describe("Reference with * for any part."), {
      min: 1,
      max: 32,
    }).describe("Images the entry is about, e.g. registry.example.com/payments/*."),
    keys: atomicList(text({ min: 1, max: 4096 }).describe("Public key as PEM."), { max: 8 })
      .describe("Cosign public keys, one of which must have signed the image.")
      .exactOptional(),
    identities: atomicList(
      z
        .object({
          issuer: text({ min: 1, max: 512 }).describe("OpenID Connect issuer of the signing certificate."),
          subject: text({ min: 1, max: 512 }).describe("Subject of the signing certificate."),
        })
        .describe("One identity."),
      { max: 8 },
    )
      .describe("Identities, one of which must have signed the image with a certificate.")
      .exactOptional(),
    pinDigest: z
      .boolean()
      .default(true)
      .describe("Whether the tag in the Pod is replaced by the digest that was verified."),
  })
  .describe("One rule on images.");

/** `spec` fields that are refused for now. */
export const plannedFields = {
  rollout: rollout
    .describe(`${LATER}Stages in which the policy goes into force: shadow, canary, everywhere.`)
    .exactOptional(),
  generate: mapList(generated, { max: 16, keys: ["name"] })
    .describe(`${LATER}Objects kept in every namespace, e.g. a NetworkPolicy.`)
    .exactOptional(),
  verifyImages: mapList(imageVerification, { max: 16, keys: ["name"] })
    .describe(`${LATER}Signatures that images must carry.`)
    .exactOptional(),
} as const;
