// The same policies and questions to OPA's server and to ours: status and body are the same, or the difference is named.
import { Agent as TlsAgent } from "node:https";
import { gzipSync } from "node:zlib";
import { builtOpa } from "@shieldx/policy-engine/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { send } from "../server/server.test-kit.ts";
import {
  builtCompiler,
  type DecisionServer,
  documentsOf,
  type Opa,
  startDecisionServer,
  startOpa,
} from "./api.test-kit.ts";
import { askOpa, comparable, type Question, sorted } from "./opa.test-kit.ts";

const opaBinary = await builtOpa();
const wasmFile = await builtCompiler();

const modules = {
  authz: `package app.authz

default allow := false
allow if input.user == "alice"
allow if { some role in input.roles; role == "admin" }
deny contains msg if { some x in input.xs; msg := sprintf("bad %v", [x]) }
double(x) := x * 2
members[k] := v if { some k, v in input.members }
limits.cpu.most := double(2)
list := [1, {"k": "v"}, [2, "two"]]
undef if input.never
conflict := x if { some x in input.conf }
quotient := 1 / input.zero
big := 12345678901234567890
echo := input
numbers := {"one": 1, "minus": -3, "half": 0.5}
nested := {"__proto__": {"a": 1}, "ключ": "värde", "a/b": 1, "": 2}
pair := {"x": y} if y := input.y
tags := {"b", "a"}
`,
  other: `package app.other

reachable if input.port in {80, 443}
why contains "closed" if not reachable
`,
  main: `package system.main

hello := input
`,
  health: `package system.health

live := true
ready if input.plugins_ready == "never"
`,
};

const inputs = [
  {},
  { user: "alice" },
  { user: "bob", roles: ["dev", "admin"] },
  { xs: ["a", 1, null, { k: [1] }] },
  { conf: [1, 2] },
  { conf: [7] },
  { zero: 0 },
  { zero: 4 },
  { members: { a: 1, b: "two" }, y: [1] },
  { port: 443 },
  null,
  "text",
  7,
  [1, 2],
  false,
];

const paths = [
  "",
  "app",
  "app/authz",
  "app/other",
  "app/authz/allow",
  "app/authz/deny",
  "app/authz/members",
  "app/authz/limits",
  "app/authz/limits/cpu",
  "app/authz/limits/cpu/most",
  "app/authz/list",
  "app/authz/undef",
  "app/authz/conflict",
  "app/authz/quotient",
  "app/authz/echo",
  "app/authz/pair",
  "app/other/reachable",
  "app/other/why",
  "nope",
];

const at = (path: string) => (path === "" ? "" : `/${path}`);
const json = (value: unknown) => JSON.stringify(value);

function* questions(): Generator<Question> {
  for (const path of paths)
    for (const input of inputs) yield { path: `/v1/data${at(path)}`, body: json({ input }) };
  for (const path of paths) yield { method: "GET", path: `/v1/data${at(path)}` };
  for (const path of paths.filter((name) => !name.endsWith("conflict")))
    yield { path: `/v0/data${at(path)}`, body: json({ user: "alice", port: 1, conf: [3] }) };
  for (const path of [
    "app/authz/list/0",
    "app/authz/list/1/k",
    "app/authz/list/2/1",
    "app/authz/tags/a",
    "app/authz/numbers/half",
    "app/authz/nested/%D0%BA%D0%BB%D1%8E%D1%87",
    "app/authz/nested/a%2Fb",
    "app/authz/nested/__proto__/a",
    "app/authz/big",
    "app%2Fauthz/allow",
    "app/authz/members/a",
    "app/authz/deny/bad%20a",
    "nope/a-b/1",
    "app/authz/nope",
  ]) {
    yield { path: `/v1/data/${path}`, body: json({ input: { xs: ["a"], members: { a: 1 } } }) };
    yield { path: `/v0/data/${path}`, body: json({ xs: ["a"], members: { a: 1 } }) };
  }
  const allow = "/v1/data/app/authz/allow";
  for (const query of [
    "?pretty",
    "?pretty=true",
    "?pretty=True",
    "?pretty=false",
    "?pretty=1",
    "?explain=off",
    "?metrics=false",
    "?provenance=false",
    "?strict-builtin-errors",
    "?unknown=1",
  ])
    yield { path: `${allow}${query}`, body: json({ input: { user: "alice" } }) };
  yield { path: "/v1/data/app/authz?pretty", body: json({ input: { members: {}, xs: [1] } }) };
  for (const zero of [0, 2])
    yield { path: "/v1/data/app/authz/quotient?strict-builtin-errors=true", body: json({ input: { zero } }) };
  for (const query of [
    "?input=%7B%22user%22%3A%22alice%22%7D",
    "?input=%7B",
    "?input=",
    "?input=null",
    "?input=1&input=%7B%22user%22%3A%22alice%22%7D",
    "?input=%7B%22user%22%3A%22alice%22%7D&pretty",
  ])
    yield { method: "GET", path: `${allow}${query}` };
  for (const body of [
    "",
    "null",
    "{}",
    "[1]",
    "x",
    "{",
    '{"input":',
    '"text"',
    "7",
    '{"input":null}',
    '{"input":1,"more":2}',
    ' {"input": {"user" : "alice"}} ',
  ])
    for (const path of [allow, "/v0/data/app/authz/allow", "/v0/data/app/authz/echo"]) yield { path, body };
  for (const number of [
    "12345678901234567890",
    "-1",
    "1e3",
    "0.1",
    "123456789012345678901234567890",
    "1e400",
    "01",
    "1.",
  ])
    yield { path: "/v1/data/app/authz/echo", body: `{"input": ${number}}` };
  for (const text of [
    '"\\u00e9\\ud83d\\ude00"',
    '{"__proto__": {"a": 1}, "constructor": 1}',
    '{"a":1,"a":2}',
    '"\\x"',
  ])
    yield { path: "/v1/data/app/authz/echo", body: `{"input": ${text}}` };
  const packed = { "content-encoding": "gzip" };
  yield { path: allow, body: gzipSync(json({ input: { user: "alice" } })), headers: packed };
  yield { path: "/v0/data/app/authz/allow", body: gzipSync(json({ user: "alice" })), headers: packed };
  yield { path: "/", body: json({ a: 1 }) };
  yield { path: "/", body: "{" };
  for (const query of ["", "?bundles", "?plugins", "?bundle=true"])
    yield { method: "GET", path: `/health${query}` };
  for (const name of ["live", "ready", "nope"]) yield { method: "GET", path: `/health/${name}` };
  for (const input of [{ user: "alice" }, { user: "bob" }])
    for (const query of ["data.app.authz.allow == true", "data.app.authz.allow", "data.app.authz.undef"])
      yield { path: "/v1/compile", body: json({ query, input, unknowns: [] }) };
  yield { path: "/v1/compile", body: json({ input: {} }) };
  for (const method of ["HEAD", "DELETE", "PUT", "PATCH"]) yield { method, path: "/v0/data/app" };
  yield { method: "HEAD", path: "/v1/data/app" };
  yield { method: "POST", path: "/v1/policies" };
}

interface Difference {
  readonly question: Question;
  readonly opa: number;
  readonly ours: number;
  readonly why: string;
}

const data = "/v1/data/app/authz";
const types = "OPA's type checker calls a place that cannot be a fault of the server; here nothing is there";
const readOnly = "policies and data come from ShieldPolicy objects";
const shown = "what is served is not shown to who may only ask";

/** Where we answer otherwise. */
const differences: readonly Difference[] = [
  { question: { method: "GET", path: `${data}/double` }, opa: 500, ours: 200, why: types },
  { question: { method: "GET", path: `${data}/list/-1` }, opa: 500, ours: 200, why: types },
  { question: { method: "GET", path: `${data}/allow/x` }, opa: 500, ours: 200, why: types },
  {
    question: { method: "GET", path: `${data}/al%22low` },
    opa: 500,
    ours: 400,
    why: "a fault of the caller",
  },
  {
    question: { path: `${data}/allow`, body: '{"input":1} x' },
    ...{ opa: 200, ours: 400, why: "what follows the document is not ignored" },
  },
  {
    question: { path: `${data}/allow`, body: "input: 1", headers: { "content-type": "application/yaml" } },
    ...{ opa: 200, ours: 415, why: "JSON only" },
  },
  { question: { method: "GET", path: "/v1/data//app" }, opa: 307, ours: 200, why: "answered at once" },
  {
    question: { path: "/v1/compile", body: json({ query: "data.app.authz.allow == true" }) },
    ...{ opa: 200, ours: 501, why: "plans are evaluated, not simplified" },
  },
  {
    question: { method: "GET", path: "/v1/query?q=true" },
    opa: 200,
    ours: 501,
    why: "rules come from policies",
  },
  { question: { method: "GET", path: "/v1/policies" }, opa: 200, ours: 404, why: shown },
  { question: { method: "GET", path: "/v1/config" }, opa: 200, ours: 404, why: shown },
  { question: { method: "PUT", path: "/v1/data/new", body: "1" }, opa: 204, ours: 405, why: readOnly },
  {
    question: { method: "PATCH", path: "/v1/data/new", body: "[]" },
    ...{ opa: 204, ours: 405, why: readOnly },
  },
  { question: { method: "DELETE", path: "/v1/data/new" }, opa: 204, ours: 405, why: readOnly },
];

describe.skipIf(opaBinary === undefined || wasmFile === undefined)("our API beside OPA's", () => {
  let opa: Opa;
  let ours: DecisionServer;
  const agent = new TlsAgent({ keepAlive: true });

  beforeAll(async () => {
    ours = await startDecisionServer(await documentsOf(wasmFile ?? "", modules));
    opa = await startOpa(opaBinary ?? "", modules);
  });
  afterAll(async () => {
    agent.destroy();
    await ours?.[Symbol.asyncDispose]();
    await opa?.[Symbol.asyncDispose]();
  });

  const askOurs = ({ method = "POST", path, body = "", headers = {} }: Question) =>
    send(ours.port, ours.ca.certificatePem, body, { method, path, headers, agent });

  it("answers the same questions with the same status and body", async () => {
    let asked = 0;
    const wrong: unknown[] = [];
    for (const question of questions()) {
      asked++;
      const [theirs, mine] = await Promise.all([askOpa(opa.url, question), askOurs(question)]);
      const [expected, got] = [comparable(theirs), comparable(mine)];
      if (json(sorted(expected)) !== json(sorted(got))) wrong.push(json({ question, expected, got }));
    }
    expect(wrong).toEqual([]);
    expect(asked).toBeGreaterThanOrEqual(400);
    console.info(`${asked} questions to OPA and to us, ${differences.length} differences known`);
  });

  it("differs where it says so, and only in that way", async () => {
    for (const { question, opa: theirs, ours: mine, why } of differences) {
      expect((await askOpa(opa.url, question)).status, `OPA, ${question.path}: ${why}`).toBe(theirs);
      expect((await askOurs(question)).status, `${question.path}: ${why}`).toBe(mine);
    }
  });

  it("tells metrics and provenance by the same names", async () => {
    const question = { path: `${data}/allow?metrics&provenance`, body: json({ input: {} }) };
    const [theirs, mine] = await Promise.all([askOpa(opa.url, question), askOurs(question)]);
    const [a, b] = [JSON.parse(theirs.body), JSON.parse(mine.body)];
    expect(Object.keys(a.metrics)).toEqual(expect.arrayContaining(Object.keys(b.metrics)));
    expect(b.provenance).toMatchObject(a.provenance);
    expect(Object.keys(b.provenance.bundles).sort()).toEqual(Object.keys(modules).sort());
  });
});
