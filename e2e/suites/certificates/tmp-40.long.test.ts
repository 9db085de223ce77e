import { rotationSuite } from "./rotation.ts";

rotationSuite({ rotations: 41 });
