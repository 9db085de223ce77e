import { expect, it } from "vitest";
import type { AuditEvent } from "../audit-log.test-kit.ts";
import type { Intents } from "./churn.test-kit.ts";
import { type Delivery, tokenAnnotation } from "./delivery.test-kit.ts";
import { LaneJudge, type Verdict } from "./judge.test-kit.ts";
import { ServerHistory } from "./server-history.test-kit.ts";

const lane = { namespace: "n", kind: "configmaps" } as const;
let ids = 0;

function written(uid: string, v: number, token: string): AuditEvent[] {
  const metadata = {
    name: "a",
    namespace: "n",
    uid,
    resourceVersion: String(v),
    annotations: { [tokenAnnotation]: token },
  };
  return both("update", { responseObject: { metadata } });
}
const deleted = (uid: string): AuditEvent[] => both("delete", { responseObject: { details: { uid } } });

function both(verb: string, more: Partial<AuditEvent>): AuditEvent[] {
  const event = {
    auditID: String(ids++),
    verb,
    objectRef: { namespace: "n", name: "a" },
    requestReceivedTimestamp: "",
    stageTimestamp: "",
  };
  return [
    { ...event, stage: "RequestReceived" },
    { ...event, stage: "ResponseComplete", responseStatus: { code: 200 }, ...more },
  ];
}

const list: Delivery = { lane: 0, what: "list" };
const page = (v: number): Delivery => ({ lane: 0, what: "page", v });
const watch = (v: number): Delivery => ({ lane: 0, what: "watch", v });
const told = (what: "added" | "updated" | "deleted", uid: string, v: number, token: string): Delivery => ({
  lane: 0,
  what,
  name: "a",
  uid,
  v,
  token,
  isWhole: true,
});

/** One object: created at 10, changed at 12 and 14, deleted at 15, created again at 16. */
const truth = [
  ...written("u1", 10, "t1"),
  ...written("u1", 12, "t2"),
  ...written("u1", 14, "t3"),
  ...deleted("u1"),
  ...written("u2", 16, "t4"),
];
const intents: Intents = new Map(
  ["t1", "t2", "t3", "t4"].map((token) => [token, { namespace: "n", name: "a" }]),
);

function judged(deliveries: readonly Delivery[], events: readonly AuditEvent[] = truth): Verdict {
  const history = new ServerHistory();
  for (const event of events) history.take(event);
  history.close();
  const judge = new LaneJudge(lane, history, intents);
  for (const delivery of deliveries) judge.take(delivery);
  judge.close();
  return judge.verdict;
}

const all = [
  page(11),
  told("added", "u1", 10, "t1"),
  watch(11),
  told("updated", "u1", 12, "t2"),
  told("updated", "u1", 14, "t3"),
  told("deleted", "u1", 15, "t3"),
  told("added", "u2", 16, "t4"),
];
const relisted = [
  ...all.slice(0, 4),
  page(17),
  told("deleted", "u1", 12, "t2"),
  told("added", "u2", 16, "t4"),
  watch(17),
];
/** As {@link relisted}, with items told of while their list arrives, one of them by a list that broke off. */
const streamed = [
  list,
  told("added", "u1", 10, "t1"),
  page(11),
  watch(11),
  told("updated", "u1", 12, "t2"),
  list,
  told("updated", "u1", 14, "t3"),
  list,
  told("deleted", "u1", 14, "t3"),
  told("added", "u2", 16, "t4"),
  page(17),
  watch(17),
];
const without = (at: number): Delivery[] => all.filter((_each, index) => index !== at);

it("finds nothing in a complete story, nor in one whose list skipped what was over", () => {
  for (const story of [all, relisted, streamed]) {
    expect(judged(story)).toMatchObject({ lost: [], invented: [], disordered: [] });
  }
});

it("finds a state, a deletion and a creation that were not delivered", () => {
  expect(judged(without(3)).lost).toEqual(['n/a u1@12 "t2" was not delivered']);
  expect(judged(without(5)).lost).toEqual(["the deletion of n/a u1 was not delivered"]);
  expect(judged(without(6)).lost).toEqual(['n/a u2@16 "t4" was not delivered']);
  expect(judged(streamed.toSpliced(4, 1)).lost).toEqual([]); // a list may skip what was over at its version
  expect(judged([...streamed, ...all.slice(4)].toSpliced(0, 1)).disordered).not.toEqual([]);
  const lastOfGap = [page(11), watch(11), ...all.slice(3)];
  expect(judged(lastOfGap).lost).toEqual(['n/a u1@10 "t1" was not delivered']);
});

it("finds what no server wrote", () => {
  expect(judged([...all.slice(0, 3), told("updated", "u1", 13, "t2"), ...all.slice(4)]).invented).toEqual([
    "updated n/a u1@13: the servers wrote no such version",
  ]);
  expect(judged(all.with(3, told("updated", "u1", 12, "t3"))).invented).toHaveLength(1);
  expect(judged(all.with(3, told("updated", "u1", 12, "other"))).invented).toHaveLength(1);
  expect(judged([...all, told("deleted", "u2", 18, "t4")]).invented).toEqual([
    "deleted n/a u2@18: the servers deleted no such object",
  ]);
  const damaged: Delivery = { ...told("updated", "u1", 12, "t2"), isWhole: false } as Delivery;
  expect(judged(all.with(3, damaged)).invented).toHaveLength(1);
});

it("finds what came in the wrong order, twice, or from the wrong version", () => {
  const swapped = [...all.slice(0, 3), all[4] as Delivery, all[3] as Delivery, ...all.slice(5)];
  expect(judged(swapped).disordered).not.toEqual([]);
  expect(judged([...all, told("added", "u2", 16, "t4")]).disordered).not.toEqual([]);
  expect(judged([...all, told("added", "u1", 10, "t1")]).disordered).not.toEqual([]);
  expect(judged(all.with(2, watch(12))).disordered).toContain("n: a list at 11 was followed from 12");
});

it("allows what a write may have made whose answer is not in the log", () => {
  const [received] = written("u1", 12, "t2");
  const lost = truth.find((event) => event.responseObject?.metadata?.resourceVersion === "12");
  const events = truth.filter((event) => event.auditID !== lost?.auditID);
  expect(judged(all, [...events, received as AuditEvent]).invented).toEqual([]);
  expect(judged(all, events).invented).toHaveLength(1);
});
