import { manyKeysSuite } from "./many-keys.test-kit.ts";

manyKeysSuite(50_000);
