/** Fields of engine `rego`: a policy in OPA's language. */
import * as z from "zod";
import { apiVersion, kindName } from "../kubernetes/names.ts";
import { atomicList, mapList, setOf, text } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";
import { bundle } from "./bundle.ts";

/** A reference of names below data, such as data.kubernetes.admission.violation. */
const ENTRYPOINT = /^data(\.[A-Za-z_][A-Za-z0-9_]*)+$/;

/** Lower case, as URLs spell hosts; what else there is to a host is checked when the policy is compiled. */
const ALLOWED_HOST = /^(http:\/\/)?([a-z0-9]([-._a-z0-9]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$/;

/** Each is a watch in every replica, of all objects there are. */
const MAX_INVENTORY_KINDS = 16;

/** What is written in the policy itself. */
export const regoSource = {
  module: text({
    min: 1,
    max: 65_536,
    pattern: /[^ \t\n\r]/,
    hint: "a Rego module, not only blanks",
  }).describe(
    "Source of one Rego module. Its rules see the request as input.request and as input.review, so that modules written " +
      "for OPA and for Gatekeeper work as they are.",
  ),
  libs: atomicList(
    text({ min: 1, max: 65_536, pattern: /[^ \t\n\r]/, hint: "a Rego module, not only blanks" }).describe(
      "Source of one module, with a package of its own.",
    ),
    { max: 16 },
  )
    .describe(
      "Further modules that the module uses, such as those in libs of a Gatekeeper template. entrypoint is needed with them.",
    )
    .exactOptional(),
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
} as const;

/** One kind of `inventory`. */
export const inventoryKind = z
  .object({
    apiVersion: apiVersion().describe("API version of the objects, e.g. v1 or networking.k8s.io/v1."),
    kind: kindName().describe("Kind of the objects, e.g. Ingress."),
  })
  .describe("One kind.");

export const rego = z
  .object({
    module: regoSource.module.exactOptional(),
    libs: regoSource.libs,
    bundle: bundle
      .describe(
        "OPA bundle that holds modules and data, instead of a module: fetched, verified and kept up to date.",
      )
      .exactOptional(),
    version: z
      .enum(["v0", "v1"])
      .default("v1")
      .describe(
        "Version of the Rego language; of a bundle, that of the modules whose version its manifest does not say.",
      ),
    entrypoint: regoSource.entrypoint,
    inventory: mapList(inventoryKind, { max: MAX_INVENTORY_KINDS, keys: ["apiVersion", "kind"] })
      .describe(
        "Kinds of objects of the cluster that the policy looks at, in the shape Gatekeeper gives them: " +
          "data.inventory.namespace[namespace][apiVersion][kind][name] and data.inventory.cluster[apiVersion][kind][name]. " +
          "ShieldX needs the right to watch them: see rbac.inventoryKinds of its chart.",
      )
      .exactOptional(),
    allowedHosts: setOf(
      text({
        min: 1,
        max: 270,
        pattern: ALLOWED_HOST,
        hint: "host, host:port or http://host:port, in lower case",
      }).describe(
        "Host, as in api.example.com or api.example.com:8443; [2001:db8::1] for an address of IPv6.",
      ),
      { max: 32 },
    )
      .describe(
        "Hosts that http.send may call: over TLS, at port 443 unless another is named; http://host[:port] is one without TLS, at " +
          "port 80. None when left out: a module that calls http.send is then refused. The background audit calls them for each " +
          "object that exists, too.",
      )
      .exactOptional(),
  })
  .check(
    rule<{ module?: unknown; bundle?: unknown }>({
      rule: "has(self.module) != has(self.bundle)",
      message: "engine rego needs either spec.rego.module or spec.rego.bundle: set exactly one of them",
      reason: "FieldValueRequired",
      fieldPath: ".module",
      holds: ({ module, bundle }) => (module === undefined) !== (bundle === undefined),
    }),
    rule<{ libs?: unknown; module?: unknown; entrypoint?: unknown }>({
      rule: "!has(self.libs) || (has(self.module) && has(self.entrypoint))",
      message:
        "libs belong to a module, and with them it must be said which rule counts: set module and entrypoint (e.g. data.shieldx.deny), or remove libs",
      reason: "FieldValueForbidden",
      fieldPath: ".libs",
      holds: ({ libs, module, entrypoint }) =>
        libs === undefined || (module !== undefined && entrypoint !== undefined),
    }),
  );

/** `spec.rego` with its defaults applied. */
export type RegoSpec = z.output<typeof rego>;
