/** The request object of `http.send` and of `providers.aws.sign_req` (OPA's v1/topdown/http.go). */
import { type AnyObject, entriesOf, RegoSet, type RegoValue } from "../values.ts";
import { countWork } from "../work-meter.ts";
import { objectOperand, operandError } from "./operands.ts";
import { valueText } from "./value-text.ts";

const ALLOWED: ReadonlySet<RegoValue> = new Set<RegoValue>([
  "method",
  "url",
  "body",
  "enable_redirect",
  "force_json_decode",
  "force_yaml_decode",
  "headers",
  "raw_body",
  "tls_use_system_certs",
  "tls_ca_cert",
  "tls_ca_cert_file",
  "tls_ca_cert_env_variable",
  "tls_client_cert",
  "tls_client_cert_file",
  "tls_client_cert_env_variable",
  "tls_client_key",
  "tls_client_key_file",
  "tls_client_key_env_variable",
  "tls_insecure_skip_verify",
  "tls_server_name",
  "timeout",
  "cache",
  "force_cache",
  "force_cache_duration_seconds",
  "raise_error",
  "caching_mode",
  "max_retry_attempts",
  "cache_ignored_headers",
]);

/** @throws BuiltinError for unknown members, and when method or URL are missing. */
export function requestOperand(args: readonly RegoValue[], position: number): AnyObject {
  const request = objectOperand(args, position);
  const given = new RegoSet();
  const invalid = new RegoSet();
  for (const [key] of entriesOf(request)) {
    countWork(2);
    given.add(key);
    if (!ALLOWED.has(key)) {
      invalid.add(key);
    }
  }
  if (invalid.size > 0) {
    throw operandError(position, `invalid request parameters(s): ${valueText(invalid)}`);
  }
  const missing = new RegoSet(["method", "url"].filter((key) => !given.has(key)));
  if (missing.size > 0) {
    throw operandError(position, `missing required request parameters(s): ${valueText(missing)}`);
  }
  return request;
}
