/** `spec.rego.bundle`: modules and data from OPA's bundles. */
import * as z from "zod";
import { duration, subdomain } from "../kubernetes/names.ts";
import { mapList, text } from "../structural/fields.ts";

const secretRef = () =>
  z.object({
    name: subdomain().describe("Name of the Secret, in the namespace of ShieldX."),
    key: text({ min: 1, max: 253, pattern: /^[-._a-zA-Z0-9]+$/, hint: "a key of a Secret's data" }).describe(
      "Key of its data.",
    ),
  });

const scope = () => text({ min: 1, max: 253 });

const verification = z.object({
  keys: mapList(
    z
      .object({
        id: text({ min: 1, max: 253 }).describe("Name of the key: the kid or keyid of signatures."),
        algorithm: z
          .enum([
            "RS256",
            "RS384",
            "RS512",
            "PS256",
            "PS384",
            "PS512",
            "ES256",
            "ES384",
            "ES512",
            "HS256",
            "HS384",
            "HS512",
            "EdDSA",
          ])
          .default("RS256")
          .describe("Algorithm of its signatures."),
        scope: scope()
          .describe("Scope its signatures must have where verification names none.")
          .exactOptional(),
        secretRef: secretRef().describe(
          "Public key or certificate as PEM, or the secret of an HS algorithm.",
        ),
      })
      .describe("One key."),
    { max: 8, keys: ["id"] },
  ).describe("Keys, one of which must have signed the bundle."),
  keyId: text({ min: 1, max: 253 })
    .describe("The key to verify with, whatever the signature names.")
    .exactOptional(),
  scope: scope().describe("Scope the signature must have.").exactOptional(),
});

export const bundle = z.object({
  url: text({ min: 9, max: 2048, pattern: /^https:\/\//, hint: "an https:// URL" }).describe(
    "Where the bundle is fetched from, e.g. https://bundles.example.com/shop.tar.gz.",
  ),
  polling: z
    .object({
      minDelay: duration().describe("Shortest time between two requests; 1m when left out.").exactOptional(),
      maxDelay: duration().describe("Longest time between two requests; 2m when left out.").exactOptional(),
      longPoll: duration()
        .describe("How long the server may hold a request until there is news, at most 1h.")
        .exactOptional(),
    })
    .describe("How often the server is asked for news.")
    .exactOptional(),
  caSecretRef: secretRef()
    .describe("Certificate authorities of the server as PEM; the system's when left out.")
    .exactOptional(),
  tokenSecretRef: secretRef().describe("Bearer token for the server.").exactOptional(),
  verification: verification
    .describe("With it only signed bundles are used; without it, only unsigned ones.")
    .exactOptional(),
});

/** `spec.rego.bundle` with its defaults applied. */
export type BundleSpec = z.output<typeof bundle>;
