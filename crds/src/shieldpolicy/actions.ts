import * as z from "zod";

/** What a policy does where. */
export const actions = z.object({
  admission: z
    .enum(["deny", "warn", "audit", "off"])
    .describe(
      "What happens to a request that breaks the policy: deny refuses it, warn lets it pass and tells the person, audit lets " +
        "it pass and notes it in the API server's audit log, off does not look at requests (write it in quotes, YAML reads a bare " +
        "off as false).",
    ),
  background: z
    .enum(["audit", "off"])
    .describe(
      "Whether objects that already exist are judged and reported: audit or off. Left out, it is audit for engine " +
        "podSecurity and off for the others.",
    )
    .exactOptional(),
  http: z
    .enum(["serve", "off"])
    .describe(
      "For engine rego: serve lets clients ask for the policy's rules, and its bundle's data, by OPA's REST API on the webhook's port (POST " +
        "/v1/data/<package>/<rule>), each as RBAC allows it the path. Left out, it is off (write it in quotes, YAML reads a bare " +
        "off as false).",
    )
    .exactOptional(),
});
