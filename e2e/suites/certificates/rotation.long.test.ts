import { rotationSuite } from "./rotation.ts";

rotationSuite({ rotations: 100 });
rotationSuite({ rotations: 1_000 });
