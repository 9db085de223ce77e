import { reloadSuite } from "./reload.ts";

console.log("60 reloads and 6 rotations here; 1,000 and 100 are in make e2e-long");
reloadSuite({ reloads: 60, rotations: 6 });
