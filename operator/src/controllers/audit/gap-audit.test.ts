import { describe, expect, it } from "vitest";
import { lastWrite } from "./gap-audit.ts";

const from = Date.parse("2026-12-01T10:00:00Z");
const until = Date.parse("2026-12-01T11:00:00Z");
const meta = (creationTimestamp: string, ...managedFields: object[]) => ({
  name: "web",
  creationTimestamp,
  managedFields,
});
const entry = (manager: string, time: string, subresource?: string) => ({
  manager,
  time,
  ...(subresource === undefined ? {} : { subresource }),
});

describe("the last write in a gap", () => {
  it("is a creation, by the client that made it", () => {
    const object = meta("2026-12-01T10:30:00Z", entry("kubectl-create", "2026-12-01T10:30:00Z"));
    expect(lastWrite(object, from, until)).toEqual({
      writtenMs: Date.parse("2026-12-01T10:30:00Z"),
      manager: "kubectl-create",
      isNew: true,
    });
  });

  it("is an update of what was there before, the last one", () => {
    const object = meta(
      "2026-11-01T10:00:00Z",
      entry("helm", "2026-12-01T10:10:00Z"),
      entry("kubectl-edit", "2026-12-01T10:20:00Z"),
      entry("later", "2026-12-01T12:00:00Z"),
    );
    expect(lastWrite(object, from, until)).toMatchObject({ manager: "kubectl-edit", isNew: false });
  });

  it("is none of a status, and none outside of the gap", () => {
    const before = "2026-11-01T10:00:00Z";
    expect(
      lastWrite(meta(before, entry("kubelet", "2026-12-01T10:10:00Z", "status")), from, until),
    ).toBeUndefined();
    expect(lastWrite(meta(before, entry("kubectl", before)), from, until)).toBeUndefined();
  });

  it("is the creation where nobody says who", () => {
    expect(lastWrite(meta("2026-12-01T10:30:00Z"), from, until)).toMatchObject({
      manager: undefined,
      isNew: true,
    });
  });
});
