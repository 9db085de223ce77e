import { violationsSuite } from "./violations.ts";

violationsSuite({ objects: 400, policies: 25, timeoutMs: 60_000, mostRssMiB: 300 });
