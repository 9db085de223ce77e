import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { builtins, unsupportedBuiltins } from "./index.ts";

/** OPA's own list, from its published module; undefined where there is no Go. */
function metadata(): Readonly<Record<string, { readonly args?: readonly unknown[] }>> | undefined {
  try {
    const answer = execFileSync(
      "go",
      ["mod", "download", "-json", "github.com/open-policy-agent/opa@v1.22.4"],
      {
        encoding: "utf8",
        cwd: "/",
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    const { Dir } = JSON.parse(answer) as { Dir: string };
    return JSON.parse(readFileSync(join(Dir, "builtin_metadata.json"), "utf8"));
  } catch {
    return undefined;
  }
}

const listed = metadata();

/** Handled by the compiler: they are no calls in a plan. */
const notCalled = new Set(["assign", "eq", "print"]);

describe.skipIf(listed === undefined)("the table of built-ins", () => {
  it("has every built-in OPA documents, or says why not", () => {
    const names = Object.keys(listed ?? {}).filter((name) => !name.startsWith("_") && !notCalled.has(name));
    const missing = names.filter((name) => !builtins.has(name) && !unsupportedBuiltins.has(name));
    expect(missing).toEqual([]);
    expect(names.length).toBeGreaterThan(200);
  });

  it("has nothing OPA has not", () => {
    const extra = [...builtins.keys(), ...unsupportedBuiltins.keys()].filter(
      (name) => !Object.hasOwn(listed ?? {}, name),
    );
    expect(extra).toEqual([]);
  });

  it("declares as many arguments as OPA", () => {
    const wrong = [...builtins.values()]
      .filter(({ name, arity }) => arity !== (listed?.[name]?.args ?? []).length)
      .map(({ name, arity }) => `${name} ${arity}`);
    expect(wrong).toEqual([]);
  });
});

describe("a supported built-in", () => {
  it("is not listed as unsupported", () => {
    expect([...unsupportedBuiltins.keys()].filter((name) => builtins.has(name))).toEqual([]);
  });
});
