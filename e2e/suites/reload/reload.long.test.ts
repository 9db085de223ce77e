import { reloadSuite } from "./reload.ts";

reloadSuite({ reloads: 1_000, rotations: 100 });
