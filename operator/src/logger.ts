import type { Logger } from "@shieldx/controller-runtime";
import { type DestinationStream, pino } from "pino";

/** Lines of JSON on standard output. Secrets are never logged; the redaction is for what errors may carry along. */
export function createLogger(name: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    name,
    level,
    redact: { paths: ["*.privateKeyPem", "*.key", "*.token", "*.authorization"], censor: "[redacted]" },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
