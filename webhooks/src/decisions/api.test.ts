import { gzipSync } from "node:zlib";
import { silentLogger } from "@shieldx/controller-runtime";
import { TimeShare } from "@shieldx/policy-engine";
import type { Decision, DecisionQuestion, DecisionSource } from "@shieldx/policy-engine/decisions";
import { Registry } from "prom-client";
import { describe, expect, it } from "vitest";
import { EventBuffer } from "../decision-log/buffer.ts";
import { DecisionLog } from "../decision-log/log.ts";
import { parseMaskRules } from "../decision-log/mask.ts";
import { DecisionLogMetrics } from "../decision-log/metrics.ts";
import { metric } from "../server/server.test-kit.ts";
import { type DecisionServer, startDecisionServer } from "./api.test-kit.ts";
import { OpaError } from "./opa-error.ts";

/** Answers by path: values, or what a function makes of the question. */
function source(answers: Record<string, (question: DecisionQuestion) => Decision>): DecisionSource {
  return {
    revisions: new Map([["p", "1"]]),
    decide: (question) => answers[question.path.join("/")]?.(question) ?? { kind: "missing" },
  };
}

const echo = source({ echo: ({ input }) => ({ kind: "value", value: (input ?? "none") as string }) });
const post = (server: DecisionServer, path: string, body: unknown, more: object = {}) =>
  server.post(body, { path, ...more });

describe("the decision API", () => {
  it("keeps bodies within bounds, also packed ones", async () => {
    await using server = await startDecisionServer(echo, {}, { largestBytes: 10_000, heldBytes: 20_000 });
    const ask = (body: Buffer | string, headers: Record<string, string> = {}) =>
      post(server, "/v1/data/echo", body, { headers });
    const gzip = { "content-encoding": "gzip" };
    const large = JSON.stringify({ input: "x".repeat(9_000) });
    expect((await ask(large)).status).toBe(200);
    expect((await ask(gzipSync(large), gzip)).status).toBe(200);
    expect((await ask(`${large}${" ".repeat(10_000)}`)).status).toBe(413);
    // A hundred bytes that would become a megabyte.
    const bomb = await ask(gzipSync(JSON.stringify({ input: "x".repeat(1_000_000) })), gzip);
    expect([bomb.status, JSON.parse(bomb.body).code]).toEqual([413, "invalid_parameter"]);
    expect((await ask("not gzip", gzip)).status).toBe(400);
    expect((await ask(gzipSync(large).subarray(0, 30), gzip)).status).toBe(400);
    expect((await ask("{}", { "content-encoding": "br" })).status).toBe(415);
    expect((await ask("{}", { "content-type": "application/yaml" })).status).toBe(415);
    expect(server.budget.heldBytes).toBe(0);
  });

  it("refuses what is nested too deep, and keeps odd keys apart", async () => {
    await using server = await startDecisionServer(echo);
    const deep = `{"input":${"[".repeat(2_000)}${"]".repeat(2_000)}}`;
    expect((await post(server, "/v1/data/echo", deep)).status).toBe(400);
    const odd = '{"__proto__":{"admin":true},"constructor":1}';
    const { body } = await post(server, "/v1/data/echo", `{"input":${odd},"__proto__":{"input":1}}`);
    expect(body).toContain(`"result":{"__proto__":{"admin":true},"constructor":1}`);
    expect((await post(server, "/v1/data/echo", '{"__proto__":{"input":1}}')).body).toContain('"none"');
    expect((await post(server, "/v1/data/__proto__/constructor", "{}")).status).toBe(200);
  });

  it("answers failures in OPA's shape, and a defect without its details", async () => {
    const location = { file: "p.rego", row: 3, col: 1 };
    const failing = source({
      fails: () => ({ kind: "error", code: "eval_conflict_error", message: "two values", location }),
      breaks: () => {
        throw new TypeError("secret detail");
      },
    });
    await using server = await startDecisionServer(failing);
    const failed = await post(server, "/v1/data/fails", "{}");
    expect([failed.status, JSON.parse(failed.body)]).toEqual([
      500,
      {
        code: "internal_error",
        message: "error(s) occurred while evaluating query",
        errors: [{ code: "eval_conflict_error", message: "two values", location }],
      },
    ]);
    const broken = await post(server, "/v1/data/breaks", "{}");
    expect(broken.status).toBe(500);
    expect(broken.body).not.toContain("secret");
  });

  it("leaves admission its time", async () => {
    let now = 0;
    const share = new TimeShare(0.5, 100, 0);
    const slow = source({
      slow: ({ isPastDeadline }) => {
        now += 240;
        expect(isPastDeadline?.()).toBe(false);
        now += 20;
        expect(isPastDeadline?.()).toBe(true);
        return { kind: "value", value: 1 };
      },
    });
    await using server = await startDecisionServer(slow, { share, monotonicNow: () => now });
    expect((await post(server, "/v1/data/slow", "{}")).status).toBe(200);
    const refused = await post(server, "/v1/data/slow", "{}");
    expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "1"]);
    expect((await metric(server.decisions, "shieldx_decision_refusals_total"))["no-time"]).toBe(1);
    now += 400;
    expect((await post(server, "/v1/data/slow", "{}")).status).toBe(200);
  });

  it("counts reading a question and writing the answer to their time", async () => {
    let clock = 0;
    const used: number[] = [];
    const share = { waitMs: () => 0, used: (ms: number) => used.push(ms) } as unknown as TimeShare;
    // Each look at the clock is a millisecond later.
    await using server = await startDecisionServer(echo, { share, monotonicNow: () => ++clock });
    expect((await post(server, "/v1/data/echo", "{}")).status).toBe(200);
    expect(used.filter((ms) => ms > 0)).toHaveLength(3);
    await post(server, "/v1/data/echo", "{not JSON");
    expect(used).toHaveLength(4);
  });

  it("grants by /v1/compile nothing that /v1/data does not", async () => {
    const asked: string[] = [];
    const only = (...paths: string[]) => ({
      access: {
        admit: async (_: unknown, verb: string, path: string) => {
          asked.push(`${verb} ${path}`);
          if (!paths.some((allowed) => path === allowed || path.startsWith(`${allowed}/`)))
            throw new OpaError(403, "unauthorized", `you may not ${verb} ${path}`);
          return { username: "alice" };
        },
      },
    });
    let evaluated = 0;
    const rule = (): Decision => {
      evaluated++;
      return { kind: "value", value: true };
    };
    const rules = source({ "secret/rule": rule, "public/rule": rule });
    await using server = await startDecisionServer(rules, only("/v1/compile", "/v1/data/public"));
    const compile = async (query: string, path = "/v1/compile") => {
      const { status, body } = await post(server, path, { query, unknowns: [] });
      return [status, JSON.parse(body)];
    };
    expect(await compile("data.secret.rule == true")).toMatchObject([
      403,
      { message: "you may not post /v1/data/secret/rule" },
    ]);
    expect(await compile("data.secret")).toMatchObject([
      403,
      { message: "you may not post /v1/data/secret" },
    ]);
    for (const path of ["/v1/compile/public", "/v1/compile/secret/rule"])
      expect(await compile("data.public.rule == true", path)).toMatchObject([
        501,
        { code: "invalid_operation", message: expect.stringContaining("post to /v1/compile itself") },
      ]);
    expect(evaluated).toBe(0);
    expect((await metric(server.decisions, "shieldx_decision_refusals_total")).forbidden).toBe(2);
    expect(await compile("data.public.rule == true", "/v1/compile/")).toEqual([
      200,
      { result: { queries: [[]] } },
    ]);
    expect(asked.slice(-2)).toEqual(["post /v1/compile", "post /v1/data/public/rule"]);
    await using below = await startDecisionServer(rules, only("/v1/compile/public", "/v1/data/secret"));
    const refused = await post(below, "/v1/compile", { query: "data.secret.rule", unknowns: [] });
    expect(refused.status).toBe(403);
    expect(evaluated).toBe(1);
  });

  it("says that something is not served rather than that it has no value", async () => {
    let problem: string | undefined;
    await using server = await startDecisionServer(echo, { problem: () => problem });
    expect((await post(server, "/v1/data/nope", "{}")).body).not.toContain("result");
    problem = "ShieldPolicy x: line 1";
    const answer = await post(server, "/v1/data/nope", "{}");
    expect([answer.status, JSON.parse(answer.body).message]).toEqual([503, expect.stringContaining(problem)]);
    expect((await post(server, "/v1/data/echo", "{}")).status).toBe(200);
  });

  it("is not there without policies, and leaves other paths as they were", async () => {
    await using none = await startDecisionServer(undefined);
    const nothing = await post(none, "/v1/data/echo", "{}");
    expect([nothing.status, JSON.parse(nothing.body).kind]).toEqual([404, "Status"]);
    await using server = await startDecisionServer(echo);
    expect(JSON.parse((await post(server, "/v1/other", "{}")).body).kind).toBe("Status");
    expect((await post(server, "/v1/database", "{}")).status).toBe(404);
    expect((await post(server, "/admit", { not: "a review" })).status).toBe(400);
    expect(
      Object.keys(await metric(server.registry, "controller_runtime_webhook_requests_total")).sort(),
    ).toEqual(["/admit 400", "other 404"]);
  });
});

function newLog(more: Record<string, () => Decision> = {}, unservedMask?: string) {
  const lines: string[] = [];
  const registry = new Registry();
  const buffer = new EventBuffer({ events: 10, bytes: 10_000 }, () => undefined);
  const log = new DecisionLog({
    labels: { id: "one" },
    rules: parseMaskRules(["/input/password"]),
    source: () => source(more),
    unservedMask: () => unservedMask,
    buffer,
    grown: () => undefined,
    write: (line) => lines.push(line),
    metrics: new DecisionLogMetrics(registry),
    logger: silentLogger,
  });
  const events = () => buffer.take(10_000).map((event) => JSON.parse(event.toString("utf8")));
  return { log, lines, events, lost: () => metric(registry, "shieldx_decision_log_lost_events_total") };
}

describe("the log of decisions", () => {
  const ask = async (log: DecisionLog) => {
    await using server = await startDecisionServer(echo, {}, {}, log);
    return await post(
      server,
      "/v1/data/echo",
      { input: { user: "a", password: "s3cret" } },
      {
        headers: { "x-request-id": "r-1" },
      },
    );
  };

  it("has what was asked and answered, masked by settings and by policy, while the answer is whole", async () => {
    const mask = (): Decision => ({
      kind: "value",
      value: [{ op: "upsert", path: "/input/user", value: "***" }, "/result"],
    });
    const { log, lines, events } = newLog({ "system/log/mask": mask });
    const answer = await ask(log);
    expect(JSON.parse(answer.body)).toEqual({ decision_id: "id", result: { user: "a", password: "s3cret" } });
    expect(answer.headers["x-request-id"]).toBe("r-1");
    const [event] = events();
    expect(event).toMatchObject({
      decision_id: "id",
      path: "echo",
      input: { user: "***" },
      erased: ["/input/password", "/result"],
      masked: ["/input/user"],
      timestamp: "2026-01-01T00:00:00Z",
      custom: { user: "alice" },
    });
    expect(event).not.toHaveProperty("result");
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      ...event,
      ...{ level: "info", msg: "Decision Log", component: "webhooks", time: event.timestamp },
      type: "openpolicyagent.org/decision_logs",
    });
    expect(lines[0]).not.toContain("s3cret");
  });

  it("loses an event rather than show what could not be masked, and still answers", async () => {
    for (const decision of [
      { kind: "error", code: "eval_internal_error", message: "broken" },
      { kind: "value", value: ["password"] },
      { kind: "value", value: true },
    ] satisfies Decision[]) {
      const { log, lines, events, lost } = newLog({ "system/log/mask": () => decision });
      expect((await ask(log)).status).toBe(200);
      expect([lines, events()]).toEqual([[], []]);
      expect((await lost())["mask-failed"]).toBe(1);
    }
  });

  it("loses an event while a policy that may mask it is not served", async () => {
    const { log, lines, events, lost } = newLog({}, "masks");
    expect((await ask(log)).status).toBe(200);
    expect([lines, events()]).toEqual([[], []]);
    expect((await lost())["mask-failed"]).toBe(1);
    const masked = newLog({ "system/log/mask": () => ({ kind: "undefined" }) }, "masks-more");
    await ask(masked.log);
    expect(masked.events()).toHaveLength(1);
  });

  it("leaves out what a policy drops", async () => {
    const { log, events, lost } = newLog({ "system/log/drop": () => ({ kind: "value", value: true }) });
    await ask(log);
    expect(events()).toEqual([]);
    expect(Object.values(await lost()).every((count) => count === 0)).toBe(true);
  });
});
