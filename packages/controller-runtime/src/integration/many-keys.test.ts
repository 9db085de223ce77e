import { manyKeysSuite } from "./many-keys.test-kit.ts";

manyKeysSuite(20_000);
