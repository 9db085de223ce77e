import { rotationSuite } from "./rotation.ts";

rotationSuite({ rotations: 1_000 });
