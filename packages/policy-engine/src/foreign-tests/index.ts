export {
  type PreparedGatekeeperSuite,
  prepareGatekeeperSuite,
  type ReadObjects,
  type RunEnvironment,
  runGatekeeperSuite,
} from "./gatekeeper-run.ts";
export { type GatekeeperSuite, isGatekeeperSuite, readGatekeeperSuite } from "./gatekeeper-suite.ts";
export { type PreparedKyvernoTest, prepareKyvernoTest, runKyvernoTest } from "./kyverno-run.ts";
export { isKyvernoTest, type KyvernoTest, readKyvernoTest } from "./kyverno-test.ts";
export type { ForeignOutcome } from "./outcome.ts";
export { TestFormatError } from "./test-format-error.ts";
