import {
  ApiError,
  type Client,
  isInvalid,
  TransportError,
  ValidatingAdmissionPolicy,
} from "@shieldx/controller-runtime";
import { missingParameterRight, type ShieldPolicy } from "@shieldx/crds";
import { renderAdmissionPolicy } from "@shieldx/policy-engine";

/** `unknown`: the API server could not be asked; whatever it would have said becomes a condition later. */
export type ExpressionCheck =
  | { readonly result: "good" }
  | { readonly result: "broken"; readonly problems: readonly string[] }
  | { readonly result: "unknown"; readonly why: string };

/** Shows a policy of engine cel to the API server without storing it. */
export type ExpressionChecker = (policy: ShieldPolicy, timeoutMs: number) => Promise<ExpressionCheck>;

const mostProblems = 10;

/**
 * Asks the API server by a dry run. The conditions and messages that ShieldX itself adds are left out, so that every
 * position the server names is one in the ShieldPolicy.
 */
export function dryRunChecker(client: Client): ExpressionChecker {
  return async (policy, timeoutMs) => {
    const rendered = renderAdmissionPolicy(policy, [], 0).policy;
    const object: ValidatingAdmissionPolicy = {
      ...rendered,
      metadata: { name: "", generateName: "shieldx-dry-run-" },
      spec: {
        ...rendered.spec,
        matchConditions: policy.spec.matchConditions ?? [],
        validations: policy.spec.validations ?? [],
      },
    };
    try {
      await client.create(ValidatingAdmissionPolicy, object, { dryRun: true, timeoutMs, retries: 0 });
      return { result: "good" };
    } catch (error) {
      if (isInvalid(error)) return { result: "broken", problems: problemsIn(error) };
      if (error instanceof ApiError || error instanceof TransportError)
        return { result: "unknown", why: error.message };
      throw error;
    }
  };
}

/** The server's causes as `field: line 1, column 5: what is wrong`. */
export function problemsIn(error: ApiError): string[] {
  const causes = error.details?.causes ?? [];
  if (causes.length === 0) return [error.status.message ?? error.message];
  return causes
    .slice(0, mostProblems)
    .map(({ field = "spec", message = "is invalid" }) => `${field}: ${inWords(message)}`);
}

/** cel-go draws a picture of the position over several lines; the position in words is enough. */
function inWords(message: string): string {
  const missing = missingParameterRight(message);
  if (missing !== undefined) return missing;
  const position = /ERROR: <input>:(\d+):(\d+): ([^\n]*)/.exec(message);
  if (position === null) return message.replace(/\s+/g, " ").slice(0, 512);
  const [, line, column, text = ""] = position;
  return `line ${line}, column ${Number(column)}: ${text.trim().slice(0, 512)}`;
}
