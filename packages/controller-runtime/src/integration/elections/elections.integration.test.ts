import { partitionSuite } from "./partition-suite.test-kit.ts";
import { stalledLeaderSuite } from "./stalled-leader-suite.test-kit.ts";
import { takeoverSuite } from "./takeover-suite.test-kit.ts";

takeoverSuite({ pairs: 2, killsEach: 1, termsEach: 2 });
stalledLeaderSuite({ pairs: 2, stallsEach: 1 });
partitionSuite({ pairs: 4, partitions: 12 });
