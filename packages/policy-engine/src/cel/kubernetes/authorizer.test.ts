import { describe, expect, it } from "vitest";
import { CelPending } from "../errors.ts";
import {
  type AuthorizationCheck,
  type AuthorizationLookup,
  authorizationCheckKey,
} from "./authorization-check.ts";
import { AuthorizerValue, ResourceCheckValue } from "./authorizer.ts";
import { costOf, errorOf, evaluate } from "./evaluate.test-kit.ts";
import { parseFieldSelector, parseLabelSelector } from "./selectors.ts";

function asked(expression: string): AuthorizationCheck {
  try {
    evaluate(expression, { authorizer: new AuthorizerValue(() => undefined) });
  } catch (error) {
    if (error instanceof CelPending) return error.attributes as AuthorizationCheck;
    throw error;
  }
  throw new Error("nothing was asked");
}

const answering = (lookup: AuthorizationLookup) => ({ authorizer: new AuthorizerValue(lookup) });

describe("authorizer", () => {
  it("ends the evaluation with the question when the answer is not known", () => {
    expect(
      asked(
        `true || authorizer.group('apps').resource('deployments').subresource('scale').namespace('n').name('x')
           .check('update').allowed() ? authorizer.path('/healthz').check('get').allowed() : false`,
      ),
    ).toEqual({ kind: "path", user: "request", path: "/healthz", verb: "get" });
    expect(
      asked(
        `authorizer.serviceAccount('ns', 'sa').group('').resource('pods').fieldSelector('spec.nodeName=n')
           .labelSelector('a in (c, b)').namespace('n').check('list').allowed() || true`,
      ),
    ).toEqual({
      kind: "resource",
      user: { namespace: "ns", name: "sa" },
      verb: "list",
      group: "",
      resource: "pods",
      subresource: "",
      namespace: "n",
      name: "",
      fieldSelector: [{ key: "spec.nodeName", operator: "In", values: ["n"] }],
      labelSelector: [{ key: "a", operator: "In", values: ["b", "c"] }],
    });
  });

  it("hands on answers", () => {
    const known = answering(({ verb }) => ({
      allowed: verb === "get",
      reason: `R ${verb}`,
      ...(verb === "x" ? { error: "E" } : {}),
    }));
    const decision = (verb: string) =>
      evaluate(
        `[authorizer.path('/p').check('${verb}')].map(d, [d.allowed(), d.reason(), d.errored(), d.error()])[0]`,
        known,
      );
    expect(decision("get")).toEqual([true, "R get", false, ""]);
    expect(decision("x")).toEqual([false, "R x", true, "E"]);
  });

  it("knows the resource of the request", () => {
    const checks: AuthorizationCheck[] = [];
    const authorizer = new AuthorizerValue((check) => {
      checks.push(check);
      return { allowed: true, reason: "" };
    });
    const resource = { group: "g", resource: "r", subresource: "", namespace: "n", name: "x" };
    const requestResource = new ResourceCheckValue(authorizer, resource);
    expect(evaluate("requestResource.check('delete').allowed()", { requestResource })).toBe(true);
    // Once by closures, once by generated code.
    const asked = { kind: "resource", user: "request", verb: "delete", ...resource };
    expect(checks).toEqual([asked, asked]);
  });

  it("refuses what cannot be asked", () => {
    const none = answering(() => undefined);
    expect(errorOf("authorizer.path(' ')", none)).toBe("path must not be empty");
    expect(errorOf("authorizer.group('').resource('')", none)).toBe("resource must not be empty");
    expect(errorOf("authorizer.serviceAccount('a.b', 'x')", none)).toBe("Invalid service account namespace");
    expect(errorOf("authorizer.serviceAccount('a', 'X')", none)).toBe("Invalid service account name");
    expect(errorOf("authorizer == authorizer.serviceAccount('a', 'x')", none)).toBe("no such overload");
  });

  it("costs so much that two checks are all a budget has room for", () => {
    const known = answering(() => ({ allowed: true, reason: "" }));
    expect(costOf("authorizer.path('/x').check('get').allowed()", known)).toBe(350_003);
    // 10 + 1 to read 7 characters + 4 requirements of 50.
    expect(costOf("authorizer.group('').resource('p').labelSelector('app=abc')", known)).toBe(214);
  });

  it("has one key for one question", () => {
    const check = asked("authorizer.group('a').resource('b').check('get').allowed()");
    expect(authorizationCheckKey(check)).toBe(authorizationCheckKey({ ...check }));
    expect(authorizationCheckKey(check)).not.toBe(
      authorizationCheckKey(asked("authorizer.group('ab').resource('b').check('get').allowed()")),
    );
  });
});

describe("selectors", () => {
  it("reads field selectors", () => {
    expect(parseFieldSelector("b!=2,a==1,,c=x\\,y\\=z")).toEqual([
      { key: "a", operator: "In", values: ["1"] },
      { key: "b", operator: "NotIn", values: ["2"] },
      { key: "c", operator: "In", values: ["x,y=z"] },
    ]);
    for (const text of ["a", "a=b=c", "a=\\x", "a=b\\"])
      expect(parseFieldSelector(text), text).toBeUndefined();
  });

  it("reads label selectors, without what a review cannot express", () => {
    expect(parseLabelSelector("!z, y,x notin (b,,a),w=1,v!=2,u in (),t>5, in in (in)")).toEqual([
      { key: "in", operator: "In", values: ["in"] },
      { key: "u", operator: "In", values: [""] },
      { key: "v", operator: "NotIn", values: ["2"] },
      { key: "w", operator: "In", values: ["1"] },
      { key: "x", operator: "NotIn", values: ["", "a", "b"] },
      { key: "y", operator: "Exists", values: [] },
      { key: "z", operator: "DoesNotExist", values: [] },
    ]);
    for (const text of ["a,", "a b", "a in (b", "a in b", "a>x", "-a", "a=b c", "!a=b", "a=!", "(a)"]) {
      expect(parseLabelSelector(text), text).toBeUndefined();
    }
    expect(parseLabelSelector("")).toEqual([]);
  });
});
