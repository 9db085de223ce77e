/** What keeps one call of a built-in from holding the event loop: counted in units of work and looks at the clock. */
import { expect, it } from "vitest";
import { builtins } from "../builtins/index.ts";
import type { RegoValue } from "../values.ts";
import { countWith } from "../work-meter.ts";
import { BoundedCache } from "./bounded-cache.ts";
import { callBuiltin } from "./calls.ts";
import { Run } from "./run.ts";

/** Looks at the clock while the built-in is called. */
function looks(name: string, args: readonly RegoValue[]): number {
  let count = 0;
  const isPastDeadline = (): boolean => {
    count++;
    return false;
  };
  const run = new Run({}, { nowNs: 0n, isPastDeadline }).begin({}, new BoundedCache());
  const outer = countWith(run);
  try {
    callBuiltin({ builtin: builtins.get(name)!, location: { file: "", row: 1, col: 1 } as never }, args, run);
  } finally {
    countWith(outer);
  }
  return count;
}

const million = "ab".repeat(500_000);
const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`k${at}`, at]));

it.each<[string, readonly RegoValue[]]>([
  ["upper", ["é".repeat(1_000_000)]],
  ["lower", ["É".repeat(1_000_000)]],
  ["strings.reverse", [million]],
  ["glob.quote_meta", [million]],
  ["trim", [million, "ab"]],
  ["indexof_n", [million, million.slice(0, 1_000)]],
  ["uri.parse", [`http://h/${"é".repeat(300_000)}`]],
  ["urlquery.encode", ["é".repeat(300_000)]],
  ["base64.decode", [`${"A".repeat(1_000_000)}/w==`.slice(4)]],
  ["uuid.rfc4122", [wide]],
  ["object.keys", [wide]],
  ["json.marshal", [wide]],
  ["net.cidr_expand", ["10.0.0.0/16"]],
])("%s looks at the clock while it goes through what is large", (name, args) => {
  // As a whole it comes to far more than the arguments are charged at once: they are one look, however large.
  expect(looks(name, args)).toBeGreaterThan(2);
});

it("compares an object of many keys with many others without listing its keys for each", () => {
  let listed = 0;
  const counted = new Proxy(wide, {
    ownKeys: (target) => {
      listed++;
      return Reflect.ownKeys(target);
    },
  });
  looks("internal.member_2", [counted, Array.from({ length: 1_000 }, (_, at) => ({ at }))]);
  expect(listed).toBeLessThanOrEqual(1);
});

it("refuses arguments beyond what one call may be given, with the limit and the remedy", () => {
  const many = Array.from({ length: 600_000 }, () => 1);
  expect(() => looks("sum", [many])).toThrow(
    "sum: the arguments of one call may come to 524288 units of work (16 characters, or an element, each), and these come to 600000: give it a part of them",
  );
  expect(looks("count", [many])).toBe(0);
});
