import { partitionSuite } from "./partition-suite.test-kit.ts";
import { stalledLeaderSuite } from "./stalled-leader-suite.test-kit.ts";
import { takeoverSuite } from "./takeover-suite.test-kit.ts";

takeoverSuite({ pairs: 10, killsEach: 4, termsEach: 20 });
stalledLeaderSuite({ pairs: 8, stallsEach: 12 });
partitionSuite({ pairs: 12, partitions: 1_000 });
