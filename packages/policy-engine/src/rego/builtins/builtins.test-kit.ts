/** Calls built-ins as the evaluator does, with a context that never runs out and a seeded source of randomness. */
import type { RegoValue } from "../values.ts";
import type { BuiltinContext } from "./contract.ts";
import { builtins } from "./index.ts";

export interface TestContext extends BuiltinContext {
  readonly printed: string[];
  readonly spent: () => number;
}

/** 2025-01-02T03:04:05.678Z. */
export const nowNs = 1_735_787_045_678_000_000n;

export function testContext(overrides: Partial<BuiltinContext> = {}): TestContext {
  const cache = new Map<string, unknown>();
  const printed: string[] = [];
  let seed = 1;
  let spent = 0;
  return {
    nowNs,
    randomBytes: (count) =>
      Uint8Array.from({ length: count }, () => {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        return seed >> 16;
      }),
    print: (message) => printed.push(message),
    trace: (message) => printed.push(message),
    cache: { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) },
    queryCache: new Map(),
    spend: (units) => {
      spent += units;
    },
    runtime: {},
    allowedHosts: [],
    ...overrides,
    printed,
    spent: () => spent,
  };
}

export function callWith(context: BuiltinContext, name: string, ...args: RegoValue[]): RegoValue | undefined {
  const found = builtins.get(name);
  if (found === undefined) throw new Error(`no built-in ${name}`);
  return found.call(args, context);
}

export function call(name: string, ...args: RegoValue[]): RegoValue | undefined {
  return callWith(testContext(), name, ...args);
}
