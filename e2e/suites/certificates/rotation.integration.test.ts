import { rotationSuite } from "./rotation.ts";

console.log("40 rotations of the CA here; 1,000 are in make e2e-long");
rotationSuite({ rotations: 40, requestsEach: 25 });
