import { describe, expect, it } from "vitest";
import type { BuiltinContext } from "../builtins/contract.ts";
import type { RegoValue } from "../values.ts";
import { hostFunctions } from "./host-functions.ts";

const call = (name: string, ...args: RegoValue[]) =>
  hostFunctions.get(name)?.call(args, {} as BuiltinContext);

describe("functions that Trivy gives to its checks", () => {
  it("make a result of a message and what is known of its cause", () => {
    expect(call("result.new", "bad", { name: "x" })).toMatchObject({
      msg: "bad",
      startline: 0,
      managed: true,
      parent: null,
    });
    const metadata = {
      startline: 3,
      endline: 4,
      filepath: "a.yaml",
      managed: false,
      parent: { startline: 1 },
    };
    expect(call("result.new", "bad", { __defsec_metadata: metadata })).toMatchObject({
      startline: 3,
      endline: 4,
      filepath: "a.yaml",
      managed: false,
      parent: { startline: 1, managed: true },
    });
    expect(call("result.new", "bad", { StartLine: 7, Path: "Dockerfile" })).toMatchObject({
      startline: 7,
      filepath: "Dockerfile",
    });
    expect(call("result.new", "bad", "text")).toMatchObject({ msg: "bad", filepath: "" });
  });

  it("say what is managed", () => {
    expect(call("isManaged", {})).toBe(true);
    expect(call("isManaged", { __defsec_metadata: { managed: false } })).toBe(false);
  });

  it("follow causes of causes only so far", () => {
    let cause: RegoValue = {};
    for (let depth = 0; depth < 10_000; depth++) cause = { parent: cause };
    expect(call("result.new", "deep", cause)).toMatchObject({ msg: "deep" });
  });
});
