import { soakSuite } from "./soak.ts";

/** 30 min, or as many seconds as SHIELDX_SOAK_SECONDS says. */
const seconds = Number(process.env.SHIELDX_SOAK_SECONDS ?? 1_800);
if (!Number.isInteger(seconds) || seconds < 30)
  throw new Error("SHIELDX_SOAK_SECONDS must be a whole number of seconds, 30 or more");
soakSuite(seconds);
