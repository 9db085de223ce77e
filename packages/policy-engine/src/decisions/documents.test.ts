import { describe, expect, it } from "vitest";
import { EvaluationError, type Question, type RegoPolicy } from "../rego/index.ts";
import { Documents, type ServedPolicy } from "./documents.ts";

/** A policy that answers each of its rules with the rule's name, or what `answers` says. */
function policy(
  name: string,
  packagePath: readonly string[],
  rules: readonly string[],
  answers: Record<string, (question: Question) => ReturnType<RegoPolicy["evaluate"]>> = {},
): ServedPolicy {
  const entrypoint = packagePath.join("/");
  return {
    name,
    digest: `${name}-1`,
    revision: `${name}-1`,
    packages: [packagePath],
    documents: [
      ...rules.map((rule) => ({
        path: [...packagePath, rule],
        entrypoint: `${entrypoint}/${rule}`,
        isRule: true,
      })),
      { path: packagePath, entrypoint, isRule: false },
    ],
    rego: {
      entrypoints: [],
      evaluate: (asked, question) => answers[asked]?.(question) ?? [{ result: `${asked} of ${name}` }],
    },
  };
}

const ask = (documents: Documents, ...path: (string | number)[]) => documents.decide({ path, nowNs: 0n });

describe("documents", () => {
  const documents = new Documents([
    policy("one", ["app", "a"], ["allow"], {
      "app/a/allow": ({ within }) => (within?.length ? [{ result: [...within] }] : []),
    }),
    policy("two", ["app", "b"], ["deny"]),
    policy("three", ["app", "b", "inner"], ["x"]),
    policy("four", ["system", "main"], ["hello"]),
  ]);

  it("are asked of the policy they belong to, and within a value", () => {
    expect(ask(documents, "app", "a", "allow", "x", 1)).toEqual({ kind: "value", value: ["x", 1] });
    expect(ask(documents, "app", "a", "allow")).toEqual({ kind: "undefined" });
    expect(ask(documents, "app", "b", "deny")).toEqual({ kind: "value", value: "app/b/deny of two" });
    expect(ask(documents, "system", "main", "hello")).toMatchObject({ kind: "value" });
  });

  it("above several policies are put together from theirs, without those about OPA itself", () => {
    const b = { deny: "app/b/deny of two", inner: "app/b/inner of three" };
    expect(ask(documents, "app", "b")).toEqual({ kind: "value", value: b });
    expect(ask(documents)).toEqual({ kind: "value", value: { app: { a: "app/a of one", b } } });
    expect(ask(new Documents([]))).toEqual({ kind: "value", value: {} });
  });

  it("that nobody has are missing, whatever they are called", () => {
    for (const path of [["nope"], ["app", "a", "nope"], ["app", 0], ["__proto__"], ["constructor", "name"]])
      expect(ask(documents, ...path)).toEqual({ kind: "missing" });
  });

  it("tell why they fail", () => {
    const failing = policy("p", ["p"], ["bad"], {
      "p/bad": () => {
        throw new EvaluationError("eval_cancel_error", "too much");
      },
    });
    expect(ask(new Documents([failing]), "p", "bad")).toEqual({
      ...{ kind: "error", code: "eval_cancel_error", message: "too much" },
    });
  });
});

describe("the data of bundles", () => {
  const bundled = (name: string, roots: readonly string[][], data: object): ServedPolicy => ({
    ...policy(name, [...(roots[0] ?? []), "rules"], ["allow"]),
    roots,
    data: data as NonNullable<ServedPolicy["data"]>,
  });
  const documents = new Documents([
    bundled("shop", [["shop"], ["owners", "shop"]], {
      shop: { prices: { apple: 1, "7": "seven" }, rules: { extra: 1 } },
      owners: { shop: [{ name: "ann" }, null] },
    }),
    bundled("mail", [["mail"]], JSON.parse('{"mail": {"__proto__": {"a": 1}, "list": [1, [2]]}}')),
    policy("app", ["app"], ["allow"]),
  ]);
  const value = (...path: (string | number)[]) => {
    const answer = ask(documents, ...path);
    return answer.kind === "value" ? answer.value : answer.kind;
  };

  it("are documents beside those of rules", () => {
    expect(value("shop", "prices", "apple")).toBe(1);
    expect(value("shop", "prices", 7)).toBe("seven");
    expect(value("owners", "shop", 0, "name")).toBe("ann");
    expect(value("owners", "shop", 1)).toBeNull();
    expect(value("mail", "list", 1, 0)).toBe(2);
    expect(value("mail", "__proto__", "a")).toBe(1);
    // A package is whole as its plan makes it, which is given the data.
    expect(value("shop", "rules")).toBe("shop/rules of shop");
  });

  it("are put together with rules above them, and with other policies'", () => {
    expect(value("shop")).toEqual({ prices: { apple: 1, 7: "seven" }, rules: "shop/rules of shop" });
    expect(value("owners")).toEqual({ shop: [{ name: "ann" }, null] });
    expect(Object.keys(value() as object).sort()).toEqual(["app", "mail", "owners", "shop"]);
    const mail = value("mail") as object;
    expect(Object.hasOwn(mail, "__proto__") && Object.getPrototypeOf(mail) === Object.prototype).toBe(true);
  });

  it("that are not there are missing, whatever they are called", () => {
    for (const path of [
      ["shop", "nope"],
      ["shop", "prices", "apple", "more"],
      ["owners", "shop", 2],
      ["owners", "shop", -1],
      ["owners", "shop", "0"],
      ["owners", "shop", "length"],
      ["owners", "other"],
      ["mail", "constructor"],
      ["mail", "list", "map"],
    ])
      expect(value(...path), path.join("/")).toBe("missing");
  });

  it("are given to rules", () => {
    const seen: unknown[] = [];
    const asking = {
      ...policy("p", ["p"], ["allow"], {
        "p/allow": ({ data }) => {
          seen.push(data);
          return [{ result: true }];
        },
      }),
      roots: [[]],
      data: { a: 1 },
    };
    expect(ask(new Documents([asking]), "p", "allow")).toEqual({ kind: "value", value: true });
    expect(seen).toEqual([{ a: 1 }]);
  });

  it("about OPA itself are to be asked for by name", () => {
    const all = new Documents([bundled("all", [[]], { system: { x: 1 }, other: 2 })]);
    expect(ask(all)).toEqual({ kind: "value", value: { other: 2, rules: "rules of all" } });
    expect(ask(all, "system", "x")).toEqual({ kind: "value", value: 1 });
  });

  it("end within the limits of a question", () => {
    const large = new Documents([bundled("all", [[]], { large: Array.from({ length: 100_000 }, () => []) })]);
    expect(ask(large, "large")).toMatchObject({ kind: "error", code: "eval_cancel_error" });
    expect(ask(large, "large", 7)).toEqual({ kind: "value", value: [] });
  });
});
