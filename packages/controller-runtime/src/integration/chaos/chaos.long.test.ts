import { chaosSuite } from "./chaos-suite.test-kit.ts";

chaosSuite({ lanes: 32, faults: 10_000, each: 500, restarts: 500, meanPauseMs: 120, timeoutMs: 3_400_000 });
