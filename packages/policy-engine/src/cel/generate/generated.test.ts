import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { asCode } from "../../generate/pace.test-kit.ts";
import { generationPace, isToBeGenerated } from "../../generate/pace.ts";
import { compileCelRules } from "../admission/index.ts";
import { Compiler } from "../compiler.ts";
import {
  bindings,
  CelEnvironment,
  type CelValue,
  check,
  compile,
  DYN,
  optionalsLibrary,
  twoVariableLibrary,
} from "../index.ts";
import { kubernetesLibraries } from "../kubernetes/libraries.ts";
import { evaluateBothWays } from "./both-ways.test-kit.ts";
import { SourceWriter } from "./source-writer.ts";

const environment = new CelEnvironment({
  libraries: [...kubernetesLibraries, optionalsLibrary, twoVariableLibrary],
  variables: [{ name: "object", type: DYN }],
  optionalSyntax: true,
  crossTypeNumericComparisons: true,
});

const objects: readonly CelValue[] = [
  {
    spec: {
      containers: [
        { name: "web", image: "docker.io/shop:1", ports: [{ containerPort: 80 }, { hostPort: 8080 }] },
        { name: "proxy", image: "ghcr.io/proxy:2", securityContext: { privileged: true, runAsUser: 0 } },
      ],
      ratio: 0.5,
      big: 2 ** 53,
      nothing: null,
    },
    metadata: { labels: { "app.kubernetes.io/name": "shop", constructor: "x", toString: "y" } },
  },
  JSON.parse('{"spec": {"containers": {"a": 1}, "__proto__": {"x": 1}, "constructor": {"prototype": 2}}}'),
  JSON.parse('{"spec": {"containers": [1, null, "c", {"name": 7}]}, "constructor": 1}'),
  { spec: null },
  { spec: "text" },
  [],
  null,
];

const expressions: readonly string[] = [
  "object.spec.containers.all(c, has(c.name) && c.name.startsWith('w'))",
  "object.spec.containers.exists(c, c.name == 'proxy' || c.missing)",
  "object.spec.containers.all(c, c.missing == 1 || c.name != 'web')",
  "object.spec.containers.exists(c, c.image.endsWith(':2') && c.securityContext.runAsUser < 1000)",
  "!has(object.spec.containers) || object.spec.containers.all(c, !has(c.ports) || c.ports.all(p, !has(p.hostPort) || p.hostPort > 20))",
  "object.spec.containers.map(c, c.name).exists(n, n in ['web', 'proxy'])",
  "object.spec.containers.filter(c, c.name.contains('r')).all(c, c.image.matches('^ghcr'))",
  "object.spec.ratio < 1 && object.spec.big > 3 && object.spec.nothing == null",
  "object.spec.nothing.x == 1 || object.spec.ratio > 0.1",
  "has(object.spec.nothing.x) || has(object.spec.ratio)",
  "has(object.spec.__proto__) || has(object.constructor) || object.spec.constructor.prototype == 2",
  "object.metadata.labels['app.kubernetes.io/name'] == 'shop' && object.metadata.labels['toString'] == 'y'",
  "object.metadata.labels[object.spec.containers[0].name] == 'x'",
  "object.?spec.?ratio.orValue(2) > 1 || object.spec[?'x'].hasValue()",
  "(object.spec.ratio > 0.2 ? object.spec.containers : []).size() == 2",
  "(object.spec.ratio ? 1 : 2) == 1",
  "object.spec.containers[0].ports[1].hostPort == 8080u && dyn(1.0) == 1 && dyn(2) > 1u",
  "quantity('1Gi').isGreaterThan(quantity('1Mi')) && !(object.spec.nothing == 1)",
  "-object.spec.ratio < 0 && object.spec.ratio + 0.5 == 1.0 && 9223372036854775807 > object.spec.big",
  "object.spec.containers.exists_one(c, c.name == 'web') && object.spec.containers.all(i, c, i < 5)",
  "object.spec.name.startsWith(object.spec.prefix) || object.spec.containers.startsWith('x') || true",
  "object.spec.containers.all(c, object.spec.containers.all(d, c != d || c.name == d.name))",
  "object.spec.containers.all(c, has(c.securityContext) && c.securityContext.runAsUser == 0 || c.securityContext == null || c.name != 'proxy and more')",
  "object.spec.containers.exists(c, object.spec.containers.all(d, c.name == 'web' && d.image.startsWith('docker') || d.name == 'proxy'))",
  "object.spec.containers.all(c, c.securityContext.privileged == true || c.securityContext.runAsUser != 5 || c.name == '')",
];

function written(expression: string) {
  const checked = check(environment.parse(expression), environment);
  const writer = new SourceWriter();
  return writer.finish(writer.value(new Compiler(environment, checked).compile(checked.expr)));
}

describe("a program as code", () => {
  it.each(expressions)("says what the closures say, errors and costs too: %s", (expression) => {
    const parsed = environment.parse(expression);
    for (const ast of [check(parsed, environment), parsed])
      for (const object of objects)
        for (const costLimit of [1_000_000, 9])
          evaluateBothWays(() => compile(ast, environment), bindings({ object }), { costLimit });
  });

  it("has nothing of a policy in its text but names of fields that are identifiers", () => {
    const hostile = "x'];globalThis.polluted=1;//\u2028\\";
    const literal = JSON.stringify(hostile);
    const expression = `object.spec[${literal}] == ${literal} || object.spec[${literal}].startsWith(${literal})`;
    const checked = check(environment.parse(expression), environment);
    const { source } = written(expression);
    expect(source).toContain(".spec");
    expect(source.replace(/[\w\s.,;:?(){}[\]=!<>|&+-]|"boolean"|"number"|"string"/g, "")).toBe("");
    expect(source).not.toContain("polluted");
    const object = { spec: { [hostile]: hostile } };
    expect(evaluateBothWays(() => compile(checked, environment), bindings({ object }))).toMatchObject({
      value: true,
    });
  });

  it("has one text with others that differ in constants only", () => {
    const rule = (field: string, text: string, number: number) =>
      written(
        `object.spec.all(c, c.${field} != '${text}' || c.x < ${number} || c.name.startsWith('${text}'))`,
      );
    const { source } = rule("name", "a", 1);
    expect(rule("name", "a much longer text", 1_000_000).source).toBe(source);
    expect(rule("image", "a", 1).source).not.toBe(source);
    const [shop, web] = [written("object['x-shop'] == 1"), written("object['x-web'] == 1")];
    expect([shop.keys, web.keys]).toEqual([["x-shop"], ["x-web"]]);
  });

  it("stays closures where it would be long", () => {
    const expression = Array.from({ length: 400 }, (_, at) => `object.a${at} == ${at}`).join(" || ");
    const program = compile(check(environment.parse(expression), environment), environment);
    const outcome = asCode(() => program.tryEvaluate(bindings({ object: { a399: 399 } })));
    expect(outcome).toMatchObject({ kind: "value", value: true });
  });

  it("is made of what is evaluated often, and never of many programs at a time", () => {
    const { warmUp, between } = generationPace;
    expect(Array.from({ length: 10 * between }, () => isToBeGenerated(warmUp - 1)).includes(true)).toBe(
      false,
    );
    const made = Array.from({ length: 10 * between }, () => isToBeGenerated(warmUp));
    expect(made.filter((is) => is).length).toBeLessThanOrEqual(11);
    expect(made.filter((is) => is).length).toBeGreaterThanOrEqual(10);
  });

  it("is done without in a process that allows no code from strings", async () => {
    const program = `
      import { bindings, CelEnvironment, compile, DYN } from ${JSON.stringify(new URL("../index.ts", import.meta.url).href)};
      const environment = new CelEnvironment({ libraries: [], variables: [{ name: "object", type: DYN }] });
      const program = compile(environment.parse("object.items.all(i, i.x < 3)"), environment);
      let sum = 0;
      for (let i = 0; i < 1000; i++) sum += program.evaluate(bindings({ object: { items: [{ x: 1 }] } })).cost;
      console.log(sum);`;
    const run = async (...flags: string[]) => {
      const args = [...flags, "--input-type=module", "--eval", program];
      return (await promisify(execFile)(process.execPath, args)).stdout;
    };
    expect(await run("--disallow-code-generation-from-strings")).toBe(await run());
  });

  it("is made at nobody's expense: what reads a variable first does not pay for the variable's code", () => {
    const spec = {
      variables: [{ name: "v", expression: `object.s == '${"x".repeat(85_000)}' || object.ok` }],
      validations: [{ expression: "variables.v" }],
    };
    const things = { group: "", version: "v1", resource: "things" };
    const request = { kind: { ...things, kind: "Thing" }, resource: things, operation: "CREATE" };
    let looks = 0;
    const outcome = asCode(() =>
      compileCelRules(spec).evaluate(
        { request, object: { s: "a", ok: true } },
        { isLate: () => ++looks > 1 },
      ),
    );
    expect(outcome.failures).toEqual([]);
  });
});
