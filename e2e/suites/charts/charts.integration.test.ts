// Installations that other tests need as well, judged by the whole library. All there are: charts.long.test.ts.
import { describe } from "vitest";
import { judgesAsRecorded } from "./charts.test-kit.ts";
import { few } from "./published.ts";

describe("the library finds in what projects publish what it found before, in", () => judgesAsRecorded(few));
