import { chaosSuite } from "./chaos-suite.test-kit.ts";

chaosSuite({ lanes: 24, faults: 10_000, each: 500, restarts: 500, meanPauseMs: 350, timeoutMs: 3_400_000 });
