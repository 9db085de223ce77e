export type { ReadObjects, RunEnvironment } from "./environment.ts";
export {
  type PreparedGatekeeperSuite,
  prepareGatekeeperSuite,
  runGatekeeperSuite,
} from "./gatekeeper-run.ts";
export { type GatekeeperSuite, isGatekeeperSuite, readGatekeeperSuite } from "./gatekeeper-suite.ts";
export { type PreparedKyvernoTest, prepareKyvernoTest, runKyvernoTest } from "./kyverno-run.ts";
export { isKyvernoTest, type KyvernoTest, readKyvernoTest } from "./kyverno-test.ts";
export type { ForeignOutcome } from "./outcome.ts";
export { TestFormatError } from "./test-format-error.ts";
