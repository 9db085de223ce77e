import { ApiError, type Logger, silentLogger } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { Obstacles } from "./obstacles.ts";

const error = (code: number, message: string) =>
  new ApiError({ verb: "apply", resource: "secrets", namespace: "n", name: "s" }, code, { message, code });
const changed = error(409, "the object has been modified");
const mayNot = error(403, 'User "u" cannot patch resource "secrets" in API group "" in the namespace "n"');

function observed() {
  const told: string[] = [];
  const note = (_fields: object, message: string): void => void told.push(message);
  const logger: Logger = { ...silentLogger, warn: note, info: note };
  const obstacles = new Obstacles({ retryMs: 30_000, logger });
  let changes = 0;
  obstacles.onChange(() => changes++);
  return { obstacles, told, changes: () => changes };
}

describe("Obstacles", () => {
  it("tells a refusal once, however often it is met, and once that it is over", () => {
    const { obstacles, told, changes } = observed();
    for (const now of [0, 30_000, 60_000]) {
      expect(obstacles.failed("certificates", mayNot, now)).toMatchObject({
        refusal: { reason: "MissingRights" },
        retryAfterMs: 30_000,
      });
    }
    expect(obstacles.get("certificates")?.reason).toBe("MissingRights");
    obstacles.clear("certificates");
    obstacles.clear("certificates");
    expect(obstacles.get("certificates")).toBeUndefined();
    expect(told).toEqual([expect.stringContaining("cannot apply secrets n/s"), "no longer refused"]);
    expect(changes()).toBe(2);
  });

  it("keeps to itself what passes, unless it lasts", () => {
    const { obstacles, told } = observed();
    expect(obstacles.failed("a", changed, 0)).toEqual({ refusal: undefined, retryAfterMs: 250 });
    expect(obstacles.failed("a", changed, 4_999).refusal).toBeUndefined();
    expect(told).toEqual([]);
    expect(obstacles.failed("a", changed, 5_000).refusal?.reason).toBe("ObjectChanged");
    expect(obstacles.get("a")?.reason).toBe("ObjectChanged");
    obstacles.clear("a");
    expect(obstacles.failed("a", changed, 6_000).refusal).toBeUndefined();
  });

  it("hands back what is no refusal", () => {
    const { obstacles } = observed();
    const busy = error(503, "the server is starting");
    expect(() => obstacles.failed("a", busy, 0)).toThrow(busy);
    expect(() => obstacles.failed("a", new Error("reset"), 0)).toThrow("reset");
  });
});
