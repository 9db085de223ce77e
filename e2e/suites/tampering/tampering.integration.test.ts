// Whatever somebody does to what enforces is undone within a second, counted and told.
import { describeTampering } from "./tampering.ts";

describeTampering({ seed: 4, more: 0, burst: 100, fightMs: 4_000 });
