import { informerScaleSuite } from "./informer-scale.test-kit.ts";

informerScaleSuite(100_000);
