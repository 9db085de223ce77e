import { chaosSuite } from "./chaos-suite.test-kit.ts";

chaosSuite({ lanes: 16, faults: 250, each: 15, restarts: 4, meanPauseMs: 60, timeoutMs: 100_000 });
