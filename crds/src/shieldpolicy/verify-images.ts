/** `spec.verifyImages`: signatures that images must carry, for engine images. */
import * as z from "zod";
import { subdomain } from "../kubernetes/names.ts";
import { atomicList, mapList, setOf, text, wholeNumber } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** Lower case, as URLs spell hosts; what else there is to a host is checked when the policy is compiled. */
const HOST = /^([a-z0-9]([-._a-z0-9]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$/;
const host = () => text({ min: 1, max: 260, pattern: HOST, hint: "host or host:port, in lower case" });
const PEM = 4096;
const PEM_CHAIN = 32_768;

const identity = z
  .object({
    issuer: text({ min: 1, max: 512 })
      .describe("OpenID Connect issuer in the certificate, e.g. https://token.actions.githubusercontent.com.")
      .exactOptional(),
    issuerRegExp: text({ min: 1, max: 512 })
      .describe("Regular expression (RE2) that the whole issuer must match, instead of issuer.")
      .exactOptional(),
    subject: text({ min: 1, max: 1024 })
      .describe("Subject alternative name of the certificate: an email address or a URI.")
      .exactOptional(),
    subjectRegExp: text({ min: 1, max: 1024 })
      .describe("Regular expression (RE2) that the whole subject must match, instead of subject.")
      .exactOptional(),
  })
  .check(
    rule<{ subject?: unknown; subjectRegExp?: unknown }>({
      rule: "has(self.subject) != has(self.subjectRegExp)",
      message: "needs either subject or subjectRegExp: set exactly one of them",
      holds: ({ subject, subjectRegExp }) => (subject === undefined) !== (subjectRegExp === undefined),
    }),
    rule<{ issuer?: unknown; issuerRegExp?: unknown }>({
      rule: "!(has(self.issuer) && has(self.issuerRegExp))",
      message: "has both issuer and issuerRegExp: keep one of them",
      holds: ({ issuer, issuerRegExp }) => issuer === undefined || issuerRegExp === undefined,
    }),
  )
  .describe(
    "One identity. Without issuer and issuerRegExp it is for certificates that name no issuer, as those of an authority of " +
      "your own.",
  );

const certificates = z.object({
  roots: text({ min: 1, max: PEM_CHAIN }).describe(
    "Certificate authorities, roots and intermediates, as PEM: those of Fulcio, or your own. Nothing is fetched.",
  ),
  identities: atomicList(identity, { min: 1, max: 16 }).describe("Who may have signed: one of these."),
  transparencyLogs: atomicList(text({ min: 1, max: PEM }).describe("Public key of a log as PEM."), { max: 4 })
    .describe(
      "Logs (Rekor), one of which must have recorded the signature while the certificate was valid. The signature itself " +
        "carries the proof; no log is asked.",
    )
    .exactOptional(),
  timestampAuthorities: atomicList(
    text({ min: 1, max: PEM_CHAIN }).describe("Certificates of an authority, from leaf to root, as PEM."),
    { max: 4 },
  )
    .describe("Timestamp authorities (RFC 3161), one of which must say that the certificate was valid then.")
    .exactOptional(),
});

const imageRule = z
  .object({
    name: text({
      min: 1,
      max: 63,
      pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
      hint: "lower case letters, digits and dashes",
    }).describe("Name of the rule, as messages give it."),
    images: atomicList(
      text({ min: 1, max: 512 }).describe("Registry and repository, without tag: * is any run but of /."),
      { min: 1, max: 32 },
    ).describe(
      "Images the rule is about, e.g. registry.example.com/payments/**: * stands for anything within one part, ** for one or " +
        "more parts. Registries are named in full: docker.io/library/nginx. An image that several rules are about must keep all.",
    ),
    keys: atomicList(text({ min: 1, max: PEM }).describe("Public key as PEM: ECDSA, RSA or Ed25519."), {
      max: 8,
    })
      .describe("Cosign's public keys, one of which must have signed the image.")
      .exactOptional(),
    certificates: certificates
      .describe(
        "Certificates, one of which must have signed the image, where no key has. Without transparencyLogs and " +
          "timestampAuthorities nothing proves when that was: the certificate must then be valid now.",
      )
      .exactOptional(),
  })
  .check(
    rule<{ keys?: readonly unknown[]; certificates?: unknown }>({
      rule: "(has(self.keys) && size(self.keys) > 0) || has(self.certificates)",
      message: "says not who must have signed: add keys or certificates",
      holds: ({ keys = [], certificates }) => keys.length > 0 || certificates !== undefined,
    }),
  )
  .describe("One rule: which images, and who must have signed them.");

const registry = z
  .object({
    host: host().describe("Host of the registry as images name it, with its port unless that is 443."),
    plainHTTP: z
      .boolean()
      .default(false)
      .describe(
        "Whether it is reached without TLS: whoever is on the way can then say which image a tag is.",
      ),
    certificateAuthorities: text({ min: 1, max: PEM_CHAIN })
      .describe("Certificate authorities of the registry as PEM; the system's when left out.")
      .exactOptional(),
    pullSecretRef: z
      .object({
        name: subdomain().describe("Name of the Secret, in the namespace of ShieldX."),
        key: text({ min: 1, max: 253, pattern: /^[-._a-zA-Z0-9]+$/, hint: "a key of a Secret's data" })
          .default(".dockerconfigjson")
          .describe("Key of its data."),
      })
      .describe(
        "Secret as of type kubernetes.io/dockerconfigjson with the credentials for the registry; nobody's when left out. " +
          "rbac.imageSecrets of ShieldX's chart grants it. Pull secrets of Pods are never read.",
      )
      .exactOptional(),
    tokenHosts: setOf(host().describe("One host."), { max: 4 })
      .describe(
        "Other hosts that hand out tokens for the registry, and get the credentials for it, e.g. gitlab.com for " +
          "registry.gitlab.com.",
      )
      .exactOptional(),
    redirectHosts: setOf(host().describe("One host."), { max: 8 })
      .describe(
        "Hosts in private networks, or addresses, that the registry may send on to for its content. Public ones need no list.",
      )
      .exactOptional(),
  })
  .describe("How one registry is reached.");

export const verifyImages = z.object({
  rules: mapList(imageRule, { min: 1, max: 16, keys: ["name"] }).describe(
    "Which images must be signed, and by whom.",
  ),
  otherImages: z
    .enum(["Allow", "Deny"])
    .default("Allow")
    .describe("What is to become of images that no rule is about."),
  pinDigest: z
    .boolean()
    .default(true)
    .describe(
      "Whether tags are replaced by the digest that was verified, so that what runs is what was verified; with " +
        "actions.admission: deny only, for a policy that warns changes nothing.",
    ),
  registries: mapList(registry, { max: 32, keys: ["host"] })
    .describe(
      "How registries are reached. One that a rule names without * needs no entry; others are not asked, and their images " +
        "refused, unless they are here.",
    )
    .exactOptional(),
  timeoutSeconds: wholeNumber({ min: 1, max: 30 })
    .default(10)
    .describe(
      "Longest time for finding out about one image. A request waits no longer than it has time itself, some seconds, and " +
        "failurePolicy then decides; what is found later is there for the next try.",
    ),
});

/** `spec.verifyImages` with its defaults applied. */
export type VerifyImagesSpec = z.output<typeof verifyImages>;
