import { createHash } from "node:crypto";
import { ManualClock } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import type { FindingsRecord } from "../findings/record.ts";
import type { ShieldExceptionObject, ShieldPolicyObject } from "../kinds.ts";
import { type PageSources, pageData, ROWS_SENT } from "./data.ts";
import { DOCUMENT, DOCUMENT_HEADERS } from "./document.ts";
import { PAGE_DATA_PATH, PAGE_PATH, pageHandlers } from "./page.ts";
import { CHANGES_SHOWN, specChanges } from "./spec-changes.ts";

const NOW = Date.UTC(2026, 5, 1);
const DAY = 86_400_000;
const time = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

const spec = { engine: "cel", actions: { admission: "deny" } };
const policy = (name: string, over: object = {}): ShieldPolicyObject =>
  ({ apiVersion: "shieldx.io/v1alpha1", kind: "ShieldPolicy", metadata: { name }, spec, ...over }) as never;
const exception = (name: string, expiresAtMs: number, over: object = {}): ShieldExceptionObject =>
  ({
    metadata: { name, namespace: "shop", creationTimestamp: time(NOW - 20 * DAY) },
    spec: { policies: ["p"], owner: "team", reason: "needed", expiresAt: time(expiresAtMs), match: {} },
    ...over,
  }) as never;
const sources = (over: Partial<PageSources> = {}): PageSources => ({
  policies: [],
  tenantPolicies: [],
  exceptions: [],
  findings: undefined,
  ...over,
});

describe("pageData", () => {
  it("tells how policies stand, those first that find the most", () => {
    const ready = (status: string, message: string) => [{ type: "Ready", status, reason: "R", message }];
    const { policies } = pageData(
      sources({
        policies: [
          policy("clean", {
            status: {
              conditions: ready("True", "fine"),
              enforcedBy: "Native",
              counts: { checked: 9, violating: 0, violations: 0, exempted: 1 },
            },
          }),
          policy("worst", {
            status: {
              conditions: ready("True", "fine"),
              counts: { checked: 9, violating: 4, violations: 6 },
            },
          }),
          policy("broken", { status: { conditions: ready("False", "x".repeat(900)) } }),
          policy("new"),
        ],
      }),
      NOW,
    );
    expect(policies).toMatchObject({ total: 4, inForce: 2 });
    expect(policies.rows.map(({ name, ready: is }) => [name, is])).toEqual([
      ["worst", true],
      ["broken", false],
      ["new", undefined],
      ["clean", true],
    ]);
    expect(policies.rows[0]?.audit).toEqual({ checked: 9, violating: 4, violations: 6, exempted: 0 });
    expect(policies.rows[1]?.message).toHaveLength(500);
    expect(policies.rows[2]?.audit).toBeUndefined();
  });

  it("tells tenants' policies by namespace and name, and leaves those of the cluster their rows", () => {
    const counts = { checked: 900, violating: 900, violations: 900 };
    const status = { counts, conditions: [{ type: "Ready", status: "True", reason: "R", message: "" }] };
    const tenantPolicies = Array.from({ length: 300 }, (_, at) =>
      policy(`p${at}`, { metadata: { name: `p${at}`, namespace: "bakery" }, status }),
    ) as never;
    const { policies } = pageData(sources({ policies: [policy("quiet")], tenantPolicies }), NOW);
    expect(policies).toMatchObject({ total: 301, inForce: 300, tenants: { total: 300, inForce: 300 } });
    expect(policies.rows).toHaveLength(ROWS_SENT + 1);
    expect(policies.rows[0]).toMatchObject({ name: "bakery/p0", namespace: "bakery" });
    expect(policies.rows.at(-1)?.name).toBe("quiet");
    expect(policies.rows.at(-1)).not.toHaveProperty("namespace");
  });

  it("tells which exceptions end soon, by the rule that Events follow", () => {
    const { exceptions } = pageData(
      sources({
        exceptions: [
          exception("later", NOW + 10 * DAY),
          exception("gone", NOW),
          exception("soon", NOW + 2 * DAY, {
            status: {
              conditions: [{ type: "Unused", status: "True" }],
              usage: { count: 3 },
              approvedBy: { user: "jane", generation: 1 },
            },
          }),
        ],
      }),
      NOW,
    );
    expect(exceptions).toMatchObject({ total: 3, active: 2, endingSoon: 1, expired: 1 });
    expect(exceptions.rows.map(({ name, state }) => [name, state])).toEqual([
      ["soon", "endsSoon"],
      ["later", "active"],
      ["gone", "expired"],
    ]);
    expect(exceptions.rows[0]).toMatchObject({ isUnused: true, used: 3, approvedBy: "jane" });
  });

  it("is bounded, and tells how much there is", () => {
    const many = Array.from({ length: 5_000 }, (_, at) => exception(`e${at}`, NOW + DAY * (at + 1)));
    const { exceptions } = pageData(sources({ exceptions: many }), NOW);
    expect(exceptions).toMatchObject({ total: 5_000, active: 5_000 });
    expect(exceptions.rows).toHaveLength(ROWS_SENT);
  });

  it("writes the record's times so that both sides read them", () => {
    const findings: FindingsRecord = {
      version: 1,
      since: NOW,
      recordedAt: NOW + 1,
      objects: 2,
      violations: 3,
      namespaces: { total: 1, rows: [{ name: "shop", objects: 2, violations: 3 }] },
      owners: { total: 0, rows: [] },
      history: { firstHour: NOW / 3_600_000, total: [2], policies: [], namespaces: [], owners: [] },
    };
    expect(pageData(sources({ findings }), NOW).findings).toMatchObject({
      since: "2026-06-01T00:00:00Z",
      history: { firstHour: "2026-06-01T00:00:00Z", total: [2] },
    });
  });
});

describe("specChanges", () => {
  it("names the fields that differ, whatever their order", () => {
    const before = { engine: "cel", validations: [{ expression: "a" }, { expression: "b" }], gone: 1 };
    const after = { validations: [{ expression: "a" }, { expression: "c" }], engine: "cel", more: {} };
    expect(specChanges(before, after)).toEqual({
      total: 3,
      rows: [
        { path: "spec.gone", before: "1" },
        { path: "spec.more", after: "{}" },
        { path: "spec.validations[1].expression", before: '"b"', after: '"c"' },
      ],
    });
    expect(specChanges(before, structuredClone(before))).toEqual({ total: 0, rows: [] });
  });

  it("is bounded in number, length and depth, and takes __proto__ for a name", () => {
    const deep = (levels: number): object => (levels === 0 ? { x: 1 } : { below: deep(levels - 1) });
    const [change] = specChanges(deep(40), { below: {} }).rows;
    expect(change?.path.split(".").length).toBeLessThan(15);
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`k${at}`, "x".repeat(2_000)]));
    const { total, rows } = specChanges({}, many);
    expect([total, rows.length]).toEqual([500, CHANGES_SHOWN]);
    expect(rows[0]?.after).toHaveLength(240);
    const proto = JSON.parse('{"__proto__": {"a": 1}}') as object;
    expect(specChanges({}, proto)).toEqual({
      total: 1,
      rows: [{ path: "spec.__proto__", after: '{"a":1}' }],
    });
  });
});

describe("the handlers", () => {
  const setUp = (of: () => PageSources | undefined) => {
    const clock = new ManualClock(NOW);
    const handlers = pageHandlers({ sources: of, clock });
    const ask = async (path: string, headers = {}) => await handlers.get(path)?.answer({ headers });
    return { clock, handlers, ask };
  };

  it("let anybody have the document and who may have the data", () => {
    const { handlers } = setUp(() => sources());
    expect([...handlers].map(([path, { needsRight }]) => [path, needsRight])).toEqual([
      [PAGE_PATH, false],
      [PAGE_DATA_PATH, true],
    ]);
  });

  it("answer 304 for what is known, and make the data once a second", async () => {
    let asked = 0;
    const policies = [policy("a")];
    const { clock, ask } = setUp(() => {
      asked++;
      return sources({ policies });
    });
    const first = await ask(PAGE_DATA_PATH);
    expect(first).toMatchObject({ status: 200, headers: { "cache-control": "no-store" } });
    const known = { "if-none-match": first?.headers.etag };
    expect(await ask(PAGE_DATA_PATH, known)).toMatchObject({ status: 304 });
    expect((await ask(PAGE_DATA_PATH, known))?.body).toBeUndefined();
    expect(asked).toBe(1);
    policies.push(policy("b"));
    clock.advance(1_000);
    expect(await ask(PAGE_DATA_PATH, known)).toMatchObject({ status: 200 });
    const document = await ask(PAGE_PATH);
    expect(await ask(PAGE_PATH, { "if-none-match": document?.headers.etag })).toMatchObject({ status: 304 });
  });

  it("say that caches are being filled", async () => {
    const { ask } = setUp(() => undefined);
    expect(await ask(PAGE_DATA_PATH)).toMatchObject({ status: 503 });
  });
});

describe("the document", () => {
  const policyOf = (name: string): string[] =>
    (DOCUMENT_HEADERS["content-security-policy"] ?? "")
      .split("; ")
      .filter((directive) => directive.startsWith(`${name} `))
      .flatMap((directive) => directive.split(" ").slice(1));

  it("runs and applies its own two texts and nothing else, loads nothing, and is framed by nobody", () => {
    const inner = (tag: string): string[] =>
      [...DOCUMENT.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))].map(([, text = ""]) => text);
    const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    expect(policyOf("script-src")).toEqual(inner("script").map(hash));
    expect(policyOf("style-src")).toEqual(inner("style").map(hash));
    expect(inner("script")).toHaveLength(1);
    for (const name of ["default-src", "base-uri", "form-action", "frame-ancestors", "trusted-types"])
      expect(policyOf(name), name).toEqual(["'none'"]);
    expect(policyOf("connect-src")).toEqual(["'self'"]);
    const [script = "", style = ""] = [...inner("script"), ...inner("style")];
    const markup = DOCUMENT.replace(script, "").replace(style, "");
    expect(markup).not.toMatch(/\son\w+=|\sstyle=|https?:|<iframe|<object|\ssrc=/);
    expect(style).not.toMatch(/url\(|@import/);
    // Nothing becomes markup, is run as code, or is kept.
    expect(script).not.toMatch(
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/,
    );
    expect(script).not.toMatch(/localStorage|sessionStorage|indexedDB|document\.cookie|location\./);
  });
});
