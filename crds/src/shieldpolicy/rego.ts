/** Fields of engine `rego`: a policy in OPA's language. */
import * as z from "zod";
import { apiVersion, kindName, subdomain } from "../kubernetes/names.ts";
import { mapList, setOf, text } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** A reference of names below data, such as data.kubernetes.admission.violation. */
const ENTRYPOINT = /^data(\.[A-Za-z_][A-Za-z0-9_]*)+$/;

/** Each is a watch in every replica, of all objects there are. */
const MAX_INVENTORY_KINDS = 16;

export const rego = z
  .object({
    module: text({ min: 1, max: 65_536, pattern: /[^ \t\n\r]/, hint: "a Rego module, not only blanks" })
      .describe(
        "Source of one Rego module. Its rules see the request as input.request and as input.review, so that modules written " +
          "for OPA and for Gatekeeper work as they are.",
      )
      .exactOptional(),
    bundle: z
      .object({
        url: text({ min: 9, max: 2048, pattern: /^https:\/\//, hint: "an https:// URL" }).describe(
          "Where the OPA bundle is fetched from.",
        ),
        verificationKeySecret: subdomain()
          .describe("Secret in the namespace of ShieldX with the key the bundle must be signed with.")
          .exactOptional(),
      })
      .describe("Not yet supported. OPA bundle that holds the modules and data.")
      .exactOptional(),
    version: z.enum(["v0", "v1"]).default("v1").describe("Version of the Rego language."),
    entrypoint: text({
      min: 1,
      max: 253,
      pattern: ENTRYPOINT,
      hint: "a reference such as data.kubernetes.admission.violation",
    })
      .describe(
        "Rule that holds what is wrong, e.g. data.kubernetes.admission.violation: a set or an array of messages, or of " +
          "objects with msg. Left out, it is violation, else deny, of the module's package.",
      )
      .exactOptional(),
    inventory: mapList(
      z
        .object({
          apiVersion: apiVersion().describe("API version of the objects, e.g. v1 or networking.k8s.io/v1."),
          kind: kindName().describe("Kind of the objects, e.g. Ingress."),
        })
        .describe("One kind."),
      { max: MAX_INVENTORY_KINDS, keys: ["apiVersion", "kind"] },
    )
      .describe(
        "Kinds of objects of the cluster that the policy looks at, in the shape Gatekeeper gives them: " +
          "data.inventory.namespace[namespace][apiVersion][kind][name] and data.inventory.cluster[apiVersion][kind][name]. " +
          "ShieldX needs the right to watch them: see rbac.inventoryKinds of its chart.",
      )
      .exactOptional(),
    allowedHosts: setOf(subdomain().describe("Host name."), { max: 32 })
      .describe("Not yet supported. Hosts that http.send may reach; none when left out.")
      .exactOptional(),
  })
  .check(
    rule<{ bundle?: unknown }>({
      rule: "!has(self.bundle)",
      message: "not yet supported: remove it; write the policy into spec.rego.module",
      reason: "FieldValueForbidden",
      fieldPath: ".bundle",
      holds: ({ bundle }) => bundle === undefined,
    }),
    rule<{ allowedHosts?: unknown }>({
      rule: "!has(self.allowedHosts)",
      message: "not yet supported: remove it; a policy in Rego reaches no host",
      reason: "FieldValueForbidden",
      fieldPath: ".allowedHosts",
      holds: ({ allowedHosts }) => allowedHosts === undefined,
    }),
    rule<{ module?: unknown }>({
      rule: "has(self.module)",
      message: "engine rego needs spec.rego.module: write the policy there",
      reason: "FieldValueRequired",
      fieldPath: ".module",
      holds: ({ module }) => module !== undefined,
    }),
  );

/** `spec.rego` with its defaults applied. */
export type RegoSpec = z.output<typeof rego>;
