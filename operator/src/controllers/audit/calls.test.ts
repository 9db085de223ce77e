import type { AuditVerdict } from "@shieldx/policy-engine";
import { describe, expect, it } from "vitest";
import { AuditCalls } from "./calls.ts";

const asks = (key: string) =>
  [{ policy: "p", check: { kind: "http", key } }] as unknown as AuditVerdict["asks"];

describe("calls of the audit", () => {
  it("are few at once, and what is answered is judged again with the same time", async () => {
    const sending: { key: string; end: () => void }[] = [];
    const answered: string[] = [];
    const calls = new AuditCalls(
      {
        send: ({ key }) =>
          new Promise((resolve) => {
            sending.push({ key, end: () => resolve({ kind: "failed", message: key }) });
          }),
        verify: async () => ({ kind: "unknown", problem: "nobody asks" }),
      },
      (item) => answered.push(item),
    );
    const items = ["a", "b", "c", "d", "e", "f"];
    for (const [at, item] of items.entries()) calls.ask(item, calls.attempt(item, at), asks(item));
    expect(sending.map(({ key }) => key)).toEqual(["a", "b", "c", "d"]);
    expect(calls.size).toBe(6);
    sending[1]?.end();
    await expect.poll(() => answered).toEqual(["b"]);
    expect(sending.map(({ key }) => key)).toEqual(["a", "b", "c", "d", "e"]);
    const { now, calls: answers } = calls.attempt("b", 99);
    expect(now).toBe(1);
    expect(answers.lookUp("p", { key: "b" } as never)).toEqual({ kind: "failed", message: "b" });
    calls.forget("b");
    calls.forget("f");
    expect(calls.size).toBe(4);
    for (const { end } of sending) end();
    await expect.poll(() => answered).toEqual(["b", "a", "c", "d", "e"]);
    expect(sending).toHaveLength(5);
    expect(calls.attempt("b", 99).now).toBe(99);
  });
});
