import { soakSuite } from "./soak.ts";

console.log("60 s of churn here; 30 min are in make e2e-long");
soakSuite(60);
