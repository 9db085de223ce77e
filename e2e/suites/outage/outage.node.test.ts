// The core of the matrix; `make e2e-long` runs all of it. Needs root.
import { describeMatrix } from "./matrix.ts";
import { core } from "./outages.ts";

describeMatrix("outage-core", core);
