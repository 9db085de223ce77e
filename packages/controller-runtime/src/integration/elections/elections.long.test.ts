import { electionsSuite } from "./elections-suite.test-kit.ts";

electionsSuite({
  takeover: { pairs: 5, killsEach: 8, termsEach: 40 },
  stalls: { pairs: 5, stallsEach: 20 },
  partitions: { pairs: 10, partitions: 1_000 },
  isConcurrent: false,
});
