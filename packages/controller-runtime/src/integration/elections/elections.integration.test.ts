import { vi } from "vitest";
import { electionsSuite } from "./elections-suite.test-kit.ts";

// On a busy machine a leader loses its Lease before its turn comes, and another has to be elected first.
vi.setConfig({ testTimeout: 300_000 });

electionsSuite({
  takeover: { pairs: 2, killsEach: 1, termsEach: 2 },
  stalls: { pairs: 2, stallsEach: 2 },
  partitions: { pairs: 4, partitions: 24 },
  isConcurrent: true,
});
