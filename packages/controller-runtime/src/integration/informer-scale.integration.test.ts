import { informerScaleSuite } from "./informer-scale.test-kit.ts";

console.log("2,000 objects here; 100,000 are in make e2e-long");
informerScaleSuite(2_000);
