// Needs root.
import { describeMatrix } from "./matrix.ts";

const rows = process.env.SHIELDX_OUTAGES?.split(",");
describeMatrix("outage-all", rows);
