import { beforeAll } from "vitest";
import { buildKubernetes } from "./build/kubernetes.ts";
import { controlPlaneSuite } from "./testing/control-plane-suite.ts";

// The oldest supported release. Its binary takes about ten minutes to build where the cache does not have it.
beforeAll(async () => {
  await buildKubernetes("1.34");
}, 3_600_000);

controlPlaneSuite("1.34");
