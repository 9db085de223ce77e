import { describe, expect, it } from "vitest";
import { compileCleanup } from "./cleanup.ts";

type Spec = Parameters<typeof compileCleanup>[0];
const never = () => false;
const now = Date.parse("2030-01-10T00:00:00Z");
const target = [{ apiVersion: "batch/v1", kind: "Job" }];
const job = (metadata: object = {}, more: object = {}) => ({
  metadata: { name: "j", creationTimestamp: "2030-01-01T00:00:00Z", ...metadata },
  ...more,
});
const namespace = { metadata: { name: "a", labels: { stage: "preview" } } };
const judge = (spec: Partial<Spec>, object = job(), where: typeof namespace | undefined = namespace) =>
  compileCleanup({ action: "Report", targets: target, ...spec } as Spec).judge(object, where, now, never);

describe("a clean-up", () => {
  it("counts from when the object was made, to the very moment", () => {
    expect(judge({ ttl: "216h" })).toEqual({ kind: "due", sinceMs: now });
    expect(judge({ ttl: "216h1s" })).toEqual({ kind: "stays" });
    expect(judge({ ttl: "0s" }, job({ creationTimestamp: undefined }))).toEqual({ kind: "stays" });
  });

  it("counts from what since gives, and leaves what it gives nothing for", () => {
    const since = "timestamp(object.status.completionTime)";
    const done = job({}, { status: { completionTime: "2030-01-09T00:00:00Z" } });
    expect(judge({ ttl: "24h", since }, done)).toEqual({ kind: "due", sinceMs: now });
    expect(judge({ ttl: "25h", since }, done)).toEqual({ kind: "stays" });
    expect(judge({ ttl: "1h", since })).toMatchObject({ kind: "error" });
    expect(judge({ ttl: "1h", since: "timestamp('9999-01-01T00:00:00Z')" })).toEqual({ kind: "stays" });
    expect(() => judge({ ttl: "1h", since: "1" })).toThrow(/spec\.since: must evaluate to/);
  });

  it("looks at an object's own annotation only where the policy says so", () => {
    const own = (ttl: string) => job({ annotations: { "shieldx.io/ttl": ttl } });
    expect(judge({ ttl: "720h" }, own("1h"))).toEqual({ kind: "stays" });
    expect(judge({ ttl: "720h", ttlFromAnnotation: true }, own("1h"))).toMatchObject({ kind: "due" });
    expect(judge({ ttl: "1h", ttlFromAnnotation: true }, own("never"))).toEqual({ kind: "stays" });
    expect(judge({ ttlFromAnnotation: true })).toEqual({ kind: "stays" });
    const wrong = judge({ ttlFromAnnotation: true }, own("1d"));
    expect(wrong).toMatchObject({ kind: "error" });
    expect(JSON.stringify(wrong)).toContain("annotation shieldx.io/ttl: ");
  });

  it("is about those with labels, in namespaces with labels, for which its conditions hold", () => {
    const ttl = "1h";
    const labelled = { matchLabels: { stage: "preview" } };
    expect(judge({ ttl, namespaceSelector: labelled })).toMatchObject({ kind: "due" });
    expect(judge({ ttl, namespaceSelector: { matchLabels: { stage: "live" } } })).toEqual({ kind: "stays" });
    expect(judge({ ttl, objectSelector: labelled })).toEqual({ kind: "stays" });
    const condition = (expression: string) => [{ name: "c", expression }];
    expect(judge({ ttl, matchConditions: condition("object.metadata.name == 'j'") })).toMatchObject({
      kind: "due",
    });
    expect(judge({ ttl, matchConditions: condition("object.spec.x == 1") })).toMatchObject({ kind: "error" });
    expect(judge({ ttl, matchConditions: condition("namespaceObject.metadata.name == 'a'") })).toMatchObject({
      kind: "due",
    });
  });

  it("leaves what takes too long to tell", () => {
    const compiled = compileCleanup({
      action: "Report",
      targets: target,
      ttl: "1h",
      matchConditions: [
        { name: "slow", expression: "lists.range(2000).all(a, lists.range(2000).all(b, a + b >= 0))" },
      ],
    } as Spec);
    expect(compiled.judge(job(), namespace, now, () => true)).toMatchObject({ kind: "error" });
  });
});
