// What of the page's script needs no browser; the rest is e2e/suites/page.
import { describe, expect, it } from "vitest";
import { barsOf, roundUp } from "./browser/bars.ts";
import { tokenIn } from "./browser/connection.ts";
import { count, distance, many, objectName } from "./browser/format.ts";
import { policyColumns } from "./browser/lists.ts";
import { type Column, shownRows, type View } from "./browser/rows.ts";
import { policiesOf } from "./browser/whose.ts";

const columns: readonly Column<{ name: string; size: number }>[] = [
  { title: "Name", value: ({ name }) => name },
  { title: "Size", value: ({ size }) => size, text: ({ size }) => `${size} objects`, isNumber: true },
];
const rows = Array.from({ length: 60 }, (_, at) => ({ name: `row-${at}`, size: (at * 7) % 60 }));
const view = (over: Partial<View> = {}): View => ({
  sortedBy: undefined,
  isDescending: false,
  filter: "",
  page: 0,
  ...over,
});

describe("shownRows", () => {
  it("leafs through all rows in the order they came, and stays within them", () => {
    expect(shownRows(rows, columns, view())).toMatchObject({ matching: 60, page: 0, pages: 3 });
    expect(shownRows(rows, columns, view({ page: 2 })).rows.map(({ name }) => name)).toEqual(
      rows.slice(50).map(({ name }) => name),
    );
    expect(shownRows(rows, columns, view({ page: 99 })).page).toBe(2);
    expect(shownRows([], columns, view({ page: 99 }))).toEqual({ rows: [], matching: 0, page: 0, pages: 1 });
  });

  it("sorts numbers as numbers, by what they are and not by what is shown", () => {
    const sizes = (isDescending: boolean) =>
      shownRows(rows, columns, view({ sortedBy: 1, isDescending })).rows.map(({ size }) => size);
    expect(sizes(true).slice(0, 3)).toEqual([59, 58, 57]);
    expect(sizes(false).slice(0, 3)).toEqual([0, 1, 2]);
  });

  it("keeps the rows in which every word is shown", () => {
    const matching = (filter: string) => shownRows(rows, columns, view({ filter })).matching;
    expect(matching("ROW-7")).toBe(1);
    expect(matching("  objects  row-1 ")).toBe(11);
    expect(matching("nowhere")).toBe(0);
    expect(matching("(.*)+$")).toBe(0);
  });
});

describe("policiesOf", () => {
  const row = { engine: "cel", action: "deny", enforcedBy: "Webhook", ready: true, message: "" };
  const ofCluster = { ...row, name: "p" };
  const ofTenant = { ...row, name: "bakery/p", namespace: "bakery" };
  const policies = { rows: [ofTenant, ofCluster], total: 9, inForce: 2, tenants: { total: 7, inForce: 1 } };

  it("are everybody's, the cluster's or tenants', with how many there are of these in all", () => {
    expect(policiesOf(policies, "all")).toEqual({ rows: [ofTenant, ofCluster], total: 9 });
    expect(policiesOf(policies, "cluster")).toEqual({ rows: [ofCluster], total: 2 });
    expect(policiesOf(policies, "tenants")).toEqual({ rows: [ofTenant], total: 7 });
  });
});

describe("barsOf", () => {
  it("leaves gaps where nobody counted, shows a count of none, and keeps within its box", () => {
    const { bars, gaps, top } = barsOf([0, null, 7, 10], 100, 50);
    expect(top).toBe(10);
    expect(bars.map(({ index, y, height }) => [index, y, height])).toEqual([
      [0, 49, 1],
      [2, 15, 35],
      [3, 0, 50],
    ]);
    expect(gaps.map(({ index }) => index)).toEqual([1]);
    for (const { x, width } of [...bars, ...gaps]) expect(x + width).toBeLessThanOrEqual(100);
    expect(barsOf([], 100, 50)).toEqual({ bars: [], gaps: [], top: 1 });
  });

  it("has a top that people can halve", () => {
    expect([0, 1, 2, 3, 6, 10, 11, 49, 99_999].map(roundUp)).toEqual([1, 1, 2, 5, 10, 10, 20, 50, 100_000]);
  });
});

describe("what is written", () => {
  it("tells numbers, distances and names", () => {
    const now = Date.UTC(2026, 5, 1);
    expect([count(1_234_567), many(1, "object"), many(2, "object")]).toEqual([
      "1,234,567",
      "1 object",
      "2 objects",
    ]);
    expect(distance("2026-06-04T05:00:00Z", now)).toBe("in 3 days");
    expect(distance("2026-05-31T22:00:00Z", now)).toBe("2 hours ago");
    expect([distance("2026-06-01T00:00:30Z", now), distance("2026-05-31T23:59:50Z", now)]).toEqual([
      "in less than a minute",
      "just now",
    ]);
    expect(distance("no time", now)).toBe("");
    expect(objectName({ kind: "ClusterRole", namespace: "", name: "a" })).toBe("ClusterRole a");
    expect(objectName({ kind: "Pod", namespace: "shop", name: "a" })).toBe("Pod shop/a");
  });

  it("tells a policy that is not audited from one that finds nothing", () => {
    const row = {
      name: "p",
      engine: "cel",
      action: "deny",
      enforcedBy: "Native",
      ready: false,
      message: "why",
    };
    const shown = (of: Parameters<(typeof policyColumns)[0]["value"]>[0]) =>
      policyColumns.map((column) => column.text?.(of) ?? String(column.value(of)));
    expect(shown(row)).toEqual(expect.arrayContaining(["not audited", "no: why", "cel", "deny", "Native"]));
    const audit = { checked: 5, violating: 0, violations: 0, exempted: 0 };
    expect(shown({ ...row, ready: true, audit })).toEqual(expect.arrayContaining(["5", "0", "yes"]));
  });
});

describe("tokenIn", () => {
  it("takes what kubectl prints, however it was copied, and nothing that no header can carry", () => {
    expect(tokenIn(" eyJhbGciOi.e30.sig-_ \n")).toBe("eyJhbGciOi.e30.sig-_");
    expect(tokenIn("Bearer abc=")).toBe("abc=");
    for (const bad of ["", " ", "a b", "a\nb", "schlüssel", "x".repeat(16_385), "<img>"])
      expect(tokenIn(bad)).toBeUndefined();
  });
});
