// The oldest supported Kubernetes.
import { mainJob } from "./main-job.ts";

mainJob("1.34");
