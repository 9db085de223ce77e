import { electionsSuite } from "./elections-suite.test-kit.ts";

electionsSuite({
  takeover: { pairs: 10, killsEach: 4, termsEach: 20 },
  stalls: { pairs: 8, stallsEach: 12 },
  partitions: { pairs: 12, partitions: 1_000 },
  isConcurrent: false,
});
