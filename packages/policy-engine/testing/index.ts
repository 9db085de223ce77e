export { mutatedPod, type PodQuestion } from "./mutated-pods.ts";
export { builtOpa } from "./opa.ts";
export { askOracle, type OracleAnswer, oracleModule } from "./oracle.ts";
export {
  type FixturePod,
  readUpstreamFixtures,
  type UpstreamFixture,
  upstreamFixtureCount,
  upstreamModule,
} from "./upstream-fixtures.ts";
