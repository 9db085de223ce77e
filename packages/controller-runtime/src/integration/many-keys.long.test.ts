import { manyKeysSuite } from "./many-keys.test-kit.ts";

manyKeysSuite(1_000_000);
