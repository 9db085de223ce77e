/**
 * Fields whose shape is decided and whose behaviour is not built yet. Each is refused by a rule in `rules.ts` that
 * says what to do instead; removing that rule is what switches the field on, so that no served version changes.
 */
import * as z from "zod";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { anyObject, atomicList, mapList, text } from "../structural/fields.ts";

const LATER = "Not yet supported. ";

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
  generate: mapList(generated, { max: 16, keys: ["name"] })
    .describe(`${LATER}Objects kept in every namespace, e.g. a NetworkPolicy.`)
    .exactOptional(),
  verifyImages: mapList(imageVerification, { max: 16, keys: ["name"] })
    .describe(`${LATER}Signatures that images must carry.`)
    .exactOptional(),
} as const;
