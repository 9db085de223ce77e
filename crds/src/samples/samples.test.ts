import { describe, expect, it } from "vitest";
import { parseManifests, parseShieldObject } from "../index.ts";
import { readSamples } from "./read-samples.ts";

const good = await readSamples("good");
const bad = await readSamples("bad");

describe("good samples, offline", () => {
  it.each(good)("$name is accepted", ({ text, path }) => {
    const [object] = parseManifests(text, path);
    expect(() => parseShieldObject(object)).not.toThrow();
  });
});

describe("bad samples, offline", () => {
  it.each(bad)("$name is refused with field and remedy", ({ text, path, offline }) => {
    const [object] = parseManifests(text, path);
    expect(offline).toBeDefined();
    expect(() => parseShieldObject(object)).toThrow(offline);
  });
});

it("covers enough ground", () => {
  expect(good.length).toBeGreaterThanOrEqual(12);
  expect(bad.length).toBeGreaterThanOrEqual(30);
});
