/** The command line behind `make cluster-up` and `make cluster-down`. */
import { main } from "./command-line.ts";

process.exitCode = await main(process.argv.slice(2));
