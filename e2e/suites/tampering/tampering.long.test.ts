import { describeTampering } from "./tampering.ts";

describeTampering({ seed: 17, more: 1_000, burst: 300, fightMs: 60_000 });
