import { rotationSuite } from "./rotation.ts";

console.log("10 rotations of the CA here; 100 and 1,000 are in make e2e-long");
rotationSuite({ rotations: 10, requestsEach: 25 });
