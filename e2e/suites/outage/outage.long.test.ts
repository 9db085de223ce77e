// Needs root. SHIELDX_OUTAGES="node restarted;operator dead" runs only those.
import { describeMatrix } from "./matrix.ts";

const rows = process.env.SHIELDX_OUTAGES?.split(";");
describeMatrix("outage-all", rows);
