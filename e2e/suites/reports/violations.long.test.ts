import { violationsSuite } from "./violations.ts";

violationsSuite({ objects: 20_000, policies: 50, timeoutMs: 900_000, mostRssMiB: 600 });
