import * as z from "zod";
import { parseDurationMs } from "../kubernetes/duration.ts";
import { labelSelector } from "../kubernetes/label-selector.ts";
import { dnsLabel, duration } from "../kubernetes/names.ts";
import { setOf } from "../structural/fields.ts";
import { rule } from "../structural/server-check.ts";

/** `maxDuration` when a policy says nothing: 30 days. */
export const DEFAULT_MAX_EXCEPTION_DURATION = "720h";

const namespaceChoice = z
  .object({
    names: setOf(dnsLabel().describe("Name of one namespace."), { max: 256 })
      .describe("Namespaces by name.")
      .exactOptional(),
    selector: labelSelector()
      .describe(
        "Namespaces by label, in addition to names. An empty selector ({}) means every namespace. Whoever may label a " +
          "namespace can open it to exceptions this way.",
      )
      .exactOptional(),
  })
  .check(
    rule<{ names?: string[]; selector?: unknown }>({
      rule: "(has(self.names) && size(self.names) > 0) || has(self.selector)",
      message:
        "exceptions.namespaces allows none: set names or selector, or remove spec.exceptions to honour no exception",
      holds: ({ names, selector }) => (names ?? []).length > 0 || selector !== undefined,
    }),
  );

/** `spec.exceptions`. */
export const exceptions = z.object({
  namespaces: namespaceChoice.describe("Namespaces whose ShieldExceptions are honoured."),
  maxDuration: duration()
    .check(
      rule<string>({
        rule: "self.matches('^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$') && duration(self) >= duration('1m') && duration(self) <= duration('8784h')",
        message:
          "maxDuration must lie between 1m and 8784h (366 days): exceptions end, so that somebody looks again",
        holds: (value) => {
          const ms = parseDurationMs(value);
          return ms >= 60_000 && ms <= 8784 * 3_600_000;
        },
      }),
    )
    .default(DEFAULT_MAX_EXCEPTION_DURATION)
    .describe(
      "Longest time from the creation of a ShieldException to its expiresAt; an exception that asks for more is not honoured.",
    ),
});
