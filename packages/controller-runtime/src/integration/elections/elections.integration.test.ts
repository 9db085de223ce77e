import { electionsSuite } from "./elections-suite.test-kit.ts";

electionsSuite({
  takeover: { pairs: 2, killsEach: 1, termsEach: 2 },
  stalls: { pairs: 2, stallsEach: 2 },
  partitions: { pairs: 4, partitions: 24 },
  isConcurrent: true,
});
