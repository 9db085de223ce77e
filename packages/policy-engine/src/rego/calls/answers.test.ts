import { describe, expect, it } from "vitest";
import { CallAnswers, mostCalls } from "./answers.ts";
import type { CallOutcome, HttpCall } from "./call.ts";

const call = (key: string) => ({ kind: "http", key }) as HttpCall;
const failed = (message: string): CallOutcome => ({ kind: "failed", message });

describe("answers to calls", () => {
  it("are had once each, and apart for each policy", async () => {
    const sent: string[] = [];
    const answers = new CallAnswers(
      async ({ key }) => {
        sent.push(key);
        return failed(`${key} ${sent.length}`);
      },
      () => Buffer.from("seed"),
    );
    expect(answers.lookUp("p", call("a"))).toBeUndefined();
    const ask = { policy: "p", call: call("a") };
    await answers.find([ask, ask, { policy: "q", call: call("a") }], 100);
    await answers.find([ask], 100);
    expect(sent).toEqual(["a", "a"]);
    expect(answers.lookUp("p", call("a"))).toEqual(failed("a 1"));
    expect(answers.lookUp("q", call("a"))).toEqual(failed("a 2"));
  });

  it("have none while a call is under way, which others wait for, too", async () => {
    const sending = Promise.withResolvers<CallOutcome>();
    const answers = new CallAnswers(
      () => sending.promise,
      () => Buffer.from("seed"),
    );
    const ask = { policy: "p", call: call("a") };
    const finding = Promise.all([answers.find([ask], 100), answers.find([ask], 100)]);
    expect(answers.lookUp("p", ask.call)).toBeUndefined();
    sending.resolve(failed("x"));
    await finding;
    expect(answers.lookUp("p", ask.call)).toEqual(failed("x"));
  });

  it("are refused beyond so many calls of one policy", async () => {
    const sent: string[] = [];
    const answers = new CallAnswers(
      async ({ key }) => {
        sent.push(key);
        return failed(key);
      },
      () => Buffer.from("seed"),
    );
    const many = Array.from({ length: mostCalls + 3 }, (_, at) => ({ policy: "p", call: call(`${at}`) }));
    await answers.find(many, 100);
    expect(sent).toHaveLength(mostCalls);
    expect(answers.lookUp("p", call("new"))).toMatchObject({ kind: "refused" });
    expect(answers.lookUp("p", call("0"))).toEqual(failed("0"));
    expect(answers.lookUp("q", call("new"))).toBeUndefined();
  });

  it("bring the same random bytes to each evaluation", () => {
    const answers = new CallAnswers(
      async () => failed(""),
      () => Buffer.from("seed"),
    );
    const first = answers.randomBytes("p");
    const again = answers.randomBytes("p");
    const bytes = first(40);
    expect(bytes).toHaveLength(40);
    expect(again(40)).toEqual(bytes);
    expect(first(40)).not.toEqual(bytes);
    expect(answers.randomBytes("q")(40)).not.toEqual(bytes);
  });
});
