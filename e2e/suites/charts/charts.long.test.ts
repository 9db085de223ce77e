// All published installations, judged by the whole library. Each is a module to download.
import { describe } from "vitest";
import { judgesAsRecorded } from "./charts.test-kit.ts";
import { few, others } from "./published.ts";

describe("the library finds in what projects publish what it found before, in", () =>
  judgesAsRecorded([...few, ...others]));
