import { describe, expect, it } from "vitest";
import { check } from "./checker.ts";
import { CelEnvironment } from "./environment.ts";
import { CelDeadlineError, CelWorkError } from "./errors.ts";
import { bindings, compile, listsLibrary, stringsLibrary } from "./index.ts";
import { kubernetesLibraries } from "./kubernetes/libraries.ts";
import { DYN } from "./types.ts";
import type { CelValue } from "./values.ts";

const environment = new CelEnvironment({
  libraries: [stringsLibrary(), listsLibrary, ...kubernetesLibraries],
  variables: [{ name: "object", type: DYN }],
});
const program = (source: string) => compile(check(environment.parse(source), environment), environment);

/** How an evaluation ends: with its value or the error. */
function outcome(source: string, object: CelValue): unknown {
  const { value, error } = program(source).tryEvaluate(bindings({ object }));
  return error ?? value;
}

const big = "a".repeat(1_000_000);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, at) => at);
const loop = numbers(5_000);

describe("an evaluation", () => {
  it.each<[string, CelValue]>([
    ["object.l.map(x, object.b + object.b).size() > 0", { l: loop, b: numbers(100_000) }],
    ["object.l.map(x, bytes(object.s)).size() > 0", { l: loop, s: big }],
    ["object.l.map(x, object.s.replace('a', object.s)).size() > 0", { l: loop, s: "a".repeat(3_000) }],
    ["object.l.all(x, object.s.charAt(0) == 'a')", { l: loop, s: big }],
    ["object.l.all(x, size(object.s) > 0)", { l: loop, s: big }],
    [
      "object.l.all(x, object.m.exists(k, true))",
      { l: loop, m: Object.fromEntries(numbers(100_000).map((n) => [`k${n}`, n])) },
    ],
    ["object.l.all(x, x in object.l)", { l: numbers(20_000).map((n) => `v${n}`) }],
    ["object.l.all(x, object.a == object.b)", { l: loop, a: numbers(100_000), b: numbers(100_000) }],
    ["sets.equivalent(object.a, object.b)", { a: numbers(20_000), b: numbers(20_000) }],
    ["'%s'.format([object.m]) != ''", { m: { x: "é".repeat(700_000) } }],
    ["object.s.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')", { s: big }],
    ["object.s.findAll('a.*b|a').size() > 0", { s: big }],
    ["isURL(object.s)", { s: `http://h/${"%41".repeat(300_000)}` }],
    ["duration(object.s) == duration('0s')", { s: "0s".repeat(700_000) }],
    ["object.l.all(x, quantity(object.s) == quantity(object.s))", { l: loop, s: "9".repeat(90_000) }],
  ])("ends when it is too much work: %s", (source, object) => {
    const started = process.threadCpuUsage();
    expect(outcome(source, object)).toBeInstanceOf(CelWorkError);
    // Far more than it takes, in computing time: machines have other things to do.
    const { user, system } = process.threadCpuUsage(started);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  });

  it("is not saved by an operator that absorbs errors", () => {
    const source = "true || object.l.map(x, object.b + object.b).size() > 0";
    const object = { l: loop, b: numbers(100_000) };
    expect(outcome(source, object)).toBe(true);
    expect(outcome(source.replace("true ||", "object.missing ||"), object)).toBeInstanceOf(CelWorkError);
  });

  it("ends when a text would be longer than there can be", () => {
    let source = "[object.s]";
    for (let at = 0; at < 9; at++) source += `.map(a${at}, a${at} + a${at})`;
    expect(outcome(`${source}.all(s, size(s) > 0)`, { s: big })).toBeInstanceOf(CelWorkError);
  });

  it("looks at the clock during long work outside of loops", () => {
    const { error } = program("object.a == object.b").tryEvaluate(
      bindings({ object: { a: numbers(100_000), b: numbers(100_000) } }),
      { isLate: () => true },
    );
    expect(error).toBeInstanceOf(CelDeadlineError);
  });

  it("goes through what large objects of real policies hold", () => {
    const containers = numbers(200).map((n) => ({
      name: `container-${n}`,
      image: `registry.example.com/team/application-${n}:v1.2.${n}`,
      env: numbers(50).map((at) => ({ name: `VARIABLE_${at}`, value: "x".repeat(200) })),
    }));
    const object = { spec: { containers }, data: { text: big } };
    for (const source of [
      "object.spec.containers.all(c, c.image.matches('^registry[.]example[.]com/[a-z0-9/-]+:v[0-9]+([.][0-9]+)*$'))",
      "object.spec.containers.all(c, c.env.all(e, e.name.matches('^[A-Z][A-Z0-9_]*$') && e.value.size() < 1000))",
      "object.spec.containers.all(c, object.spec.containers.exists_one(d, d.name == c.name))",
      "object.data.all(k, size(object.data[k]) < 2000000 && !object.data[k].contains('password'))",
    ]) {
      expect(outcome(source, object)).toBe(true);
    }
  });

  it("has its count to itself, also where it is evaluated within another", () => {
    const inner = program("object.a == object.b");
    const object = { a: numbers(700_000), b: numbers(700_000) };
    const activation = {
      find: () => {
        for (let at = 0; at < 8; at++) expect(inner.evaluate(bindings({ object })).value).toBe(true);
        return 1;
      },
    };
    expect(program("object == 1").evaluate(activation).value).toBe(true);
  });
});

describe("an error", () => {
  it("shows the first of a long operand", () => {
    const messages = ["{'b': 1}[object.s]", "url(object.s)", "ip(object.s)", "semver(object.s)"].map(
      (source) => String(outcome(source, { s: `%${"\u0001".repeat(100_000)}` })),
    );
    for (const message of messages) expect(message.length).toBeLessThan(3_000);
  });
});

describe("a regular expression", () => {
  it.each([
    "(?i:\\pL{330})".repeat(600),
    "x{1000}".repeat(30),
    "((a{60}){60}){60}",
    "[^\\pL\\pN]".repeat(800),
  ])("is refused when its program would be large: %#", (pattern) => {
    expect(String(outcome("'a'.matches(object)", pattern))).toContain("with repetitions written out");
  });

  it.each([
    "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
    "^\\pL+$",
    "(?i)^a{1,1000}$",
  ])("is taken when policies may hold it: %s", (pattern) => {
    expect(outcome("'a'.matches(object)", pattern)).toBe(true);
  });
});
