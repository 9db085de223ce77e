import { exceptionSpecDigest, formatExceptionApprovals } from "@shieldx/crds";
import { describe, expect, it } from "vitest";
import { approvedBy, ExceptionApprovals } from "./exception-approvals.ts";

const spec = (name: string) => ({ policies: ["p"], match: { names: [name] } });
const by = (generation: number, user: string, asked = spec("a"), uid = "u") => ({
  uid,
  generation,
  user,
  specDigest: exceptionSpecDigest(asked),
});

describe("approvedBy", () => {
  it("is who asked for what is stored", () => {
    const stored = { generation: 2, spec: spec("a") };
    const jane = { user: "jane", generation: 1 };
    expect(approvedBy(jane, [by(2, "joe")], stored)).toEqual({ user: "joe", generation: 2 });
    expect(approvedBy(jane, [by(1, "joe")], stored)).toBe(jane);
    expect(approvedBy(jane, [], stored)).toBe(jane);
    expect(approvedBy(undefined, [by(3, "joe")], stored)).toBeUndefined();
  });

  it("is nobody whose request another webhook refused, before or after", () => {
    const stored = { generation: 2, spec: spec("stored") };
    const alice = by(2, "alice", spec("refused"));
    const mallory = by(2, "mallory", spec("stored"));
    for (const approvals of [
      [alice, mallory],
      [mallory, alice],
      [mallory, by(3, "bob", spec("more"))],
    ])
      expect(approvedBy({ user: "jane", generation: 1 }, approvals, stored)?.user).toBe("mallory");
    expect(approvedBy(undefined, [alice], stored)).toBeUndefined();
  });

  it("stays who it is, whatever is told again of him, or of anything else than what is stored", () => {
    const before = { user: "jane", generation: 2 };
    const stored = { generation: 2, spec: spec("a") };
    expect(approvedBy(before, [by(2, "jane"), by(2, "jane")], stored)).toBe(before);
    expect(approvedBy(before, [by(2, "joe", spec("b")), by(1, "joe"), by(3, "joe")], stored)).toBe(before);
  });

  it("is none of several who are told to have asked for the same, in whatever order and however late", () => {
    const stored = { generation: 2, spec: spec("a") };
    const unconfirmed = { user: "unconfirmed: ciso or mallory", generation: 2 };
    const [ciso, mallory] = [by(2, "ciso"), by(2, "mallory")];
    for (const told of [
      [ciso, mallory],
      [mallory, ciso],
    ])
      expect(approvedBy({ user: "jane", generation: 1 }, told, stored)).toEqual(unconfirmed);
    // The forged one was heard of first, and believed.
    expect(approvedBy({ user: "ciso", generation: 2 }, [ciso, mallory], stored)).toEqual(unconfirmed);
    expect(approvedBy({ user: "ciso", generation: 2 }, [mallory], stored)).toEqual(unconfirmed);
    // Another leader, who was told less.
    expect(approvedBy(unconfirmed, [ciso], stored)).toBe(unconfirmed);
    expect(approvedBy(unconfirmed, [], stored)).toBe(unconfirmed);
    expect(approvedBy(unconfirmed, [by(3, "joe")], { generation: 3, spec: spec("a") })?.user).toBe("joe");
  });

  it("is nobody for sure where so many tried that some are forgotten, unless it was known before", () => {
    const stored = { generation: 2, spec: spec("a") };
    const crowd = Array.from({ length: 15 }, (_, n) => by(2, "crowd", spec(`other-${n}`)));
    const told = [...crowd, by(2, "ciso")];
    expect(approvedBy(undefined, told, stored)).toEqual({ user: "unconfirmed: ciso", generation: 2 });
    const before = { user: "ciso", generation: 2 };
    expect(approvedBy(before, told, stored)).toBe(before);
    const later = Array.from({ length: 15 }, (_, n) => by(3, "crowd", spec(`other-${n}`)));
    expect(approvedBy(undefined, [by(2, "ciso"), ...later], stored)?.user).toBe("unconfirmed: ciso");
    const earlier = Array.from({ length: 15 }, (_, n) => by(1, "crowd", spec(`other-${n}`)));
    expect(approvedBy(undefined, [...earlier, by(2, "ciso")], stored)?.user).toBe("ciso");
  });

  it("fits into the status, however many are told", () => {
    const told = Array.from({ length: 16 }, (_, n) => by(1, `${"x".repeat(238)}\u{1F600}${n}`));
    const user = approvedBy(undefined, told, { generation: 1, spec: spec("a") })?.user ?? "";
    expect(user).toHaveLength(253);
    expect(user.isWellFormed()).toBe(true);
  });
});

describe("ExceptionApprovals", () => {
  const told = (...approvals: ReturnType<typeof by>[]) => formatExceptionApprovals(approvals);

  it("keeps all that are told of one exception, and hears each once", () => {
    const approvals = new ExceptionApprovals();
    expect(approvals.take("r1", told(by(2, "bob")))).toEqual(["u"]);
    expect(approvals.take("r1", told(by(2, "bob")))).toEqual([]);
    expect(approvals.take("r2", told(by(2, "bob"), by(3, "mallory")))).toEqual(["u"]);
    expect(approvals.of("u").map(({ user }) => user)).toEqual(["bob", "mallory"]);
    approvals.forget("u");
    expect(approvals.of("u")).toEqual([]);
  });

  it("forgets those of earlier generations first, in whatever order they are told", () => {
    const approvals = new ExceptionApprovals();
    approvals.take("r", told(by(2, "mallory")));
    for (let n = 0; n < 40; n++) approvals.take("r", told(by(1, "crowd", spec(`other-${n}`))));
    expect(approvals.of("u").filter(({ user }) => user === "mallory")).toHaveLength(1);
  });

  it("has an end, for one and for all", () => {
    const approvals = new ExceptionApprovals();
    for (let n = 1; n <= 40; n++) approvals.take("r", told(by(n, "jane")));
    expect(approvals.of("u").map(({ generation }) => generation)).toEqual(
      Array.from({ length: 16 }, (_, n) => n + 25),
    );
    for (let n = 0; n < 4_100; n++) approvals.take("r", told(by(1, "jane", spec("a"), `u${n}`)));
    expect([approvals.of("u0"), approvals.of("u4099")].map(({ length }) => length)).toEqual([0, 1]);
  });
});
