import { describe, expect, it } from "vitest";
import { applyBody } from "./apply-body.ts";

describe("the body of an apply", () => {
  it("is JSON for the object", () => {
    const object = { name: "web", text: 'a "quoted"\nline 😀', list: [1, null, true] };
    expect(JSON.parse(applyBody(object))).toEqual(object);
  });

  it("has nothing raw that YAML refuses, or takes for the end of a line", () => {
    const text = "\u0000\u007f\u0085\u009f\u2028\u2029\ufeff\ufffe\uffff";
    const body = applyBody({ text });
    expect(body).toMatch(/^[\x20-\x7e]+$/);
    expect(JSON.parse(body)).toEqual({ text });
  });
});
