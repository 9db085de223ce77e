import { rotationSuite } from "../../e2e/suites/certificates/rotation.ts";

rotationSuite({ rotations: 100 });
