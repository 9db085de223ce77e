import { mainJob } from "./main-job.ts";

mainJob("1.37");
