import { describe, expect, it } from "vitest";
import { shieldException } from "../../testing/objects.ts";
import { compileException, standingOf } from "./exceptions.ts";

const covering = (names: string[]) => compileException(shieldException("e", { match: { names } }));

describe("names of an exception", () => {
  it("cover a name that is still to be generated only by its beginning", () => {
    const generated = (generateName: string) => ({ metadata: { generateName } });
    expect(covering(["reader"]).covers(generated("reader"), "Pod")).toBe(false);
    expect(covering(["reader-*"]).covers(generated("reader-"), "Pod")).toBe(true);
    expect(covering(["reader-b*"]).covers(generated("reader-"), "Pod")).toBe(false);
    expect(covering(["reader"]).covers({ metadata: { name: "reader", generateName: "x-" } }, "Pod")).toBe(
      true,
    );
    expect(covering(["reader"]).covers({}, "Pod")).toBe(false);
  });

  it("of one character and * narrow nothing", () => {
    const terms = { policy: "p", maxDurationMs: Number.POSITIVE_INFINITY, namespaces: undefined };
    const exception = compileException(
      shieldException("e", { policies: ["p"], match: { names: ["a*", "b*"] } }),
    );
    expect(standingOf(terms, exception, 0, {})).toMatchObject({ honoured: false, code: "CoversEverything" });
    expect(exception.covers({ metadata: { name: "app" } }, "Pod")).toBe(false);
  });
});
