import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bridgeName, controlGroupName, firstNumber, networkCount, planNetwork } from "./plan.ts";

const ids = fc.stringMatching(/^[a-z0-9]{6}$/);
const counts = { nodes: 3, apiServers: 2 };

function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function range(cidr: string): [number, number] {
  const [address = "", length = ""] = cidr.split("/");
  const first = toNumber(address);
  return [first, first + 2 ** (32 - Number(length)) - 1];
}

function isWithin(inner: [number, number], outer: [number, number]): boolean {
  return inner[0] >= outer[0] && inner[1] <= outer[1];
}

describe("planNetwork", () => {
  it("keeps link names within the kernel's 15 characters", () => {
    fc.assert(
      fc.property(ids, fc.nat(networkCount - 1), (id, number) => {
        const plan = planNetwork(id, number, counts);
        for (const name of [plan.bridge, ...plan.nodes.map(({ hostLink }) => hostLink)]) {
          expect(name.length).toBeLessThanOrEqual(15);
        }
      }),
    );
  });

  it("gives no two numbers a common address, all within 198.19.0.0/16", () => {
    const ranges = Array.from({ length: networkCount }, (_, number) =>
      planNetwork("abc123", number, counts),
    ).flatMap(({ subnet, podCidr }) => [range(subnet), range(podCidr)]);
    ranges.sort((a, b) => a[0] - b[0]);
    for (const [index, one] of ranges.entries()) {
      expect(isWithin(one, range("198.19.0.0/16"))).toBe(true);
      expect(one[0]).toBeGreaterThan(ranges[index - 1]?.[1] ?? 0);
    }
  });

  it("puts every address where it belongs", () => {
    const plan = planNetwork("abc123", 5, counts);
    const addresses = [...plan.apiServerAddresses, ...plan.nodes.map(({ address }) => address)];
    expect(new Set(addresses).size).toBe(5);
    for (const address of addresses) expect(isWithin(range(`${address}/32`), range(plan.subnet))).toBe(true);
    for (const node of plan.nodes) expect(isWithin(range(node.podCidr), range(plan.podCidr))).toBe(true);
    expect(new Set(plan.nodes.map(({ podCidr }) => podCidr)).size).toBe(3);
  });

  it("refuses a number out of range and an id that could not be told from another", () => {
    expect(() => planNetwork("abc123", networkCount, counts)).toThrow(RangeError);
    expect(() => planNetwork("abc123", -1, counts)).toThrow(RangeError);
    for (const id of ["", "abc12", "abc1234", "ABC123", "../etc"]) {
      expect(() => bridgeName(id)).toThrow(RangeError);
      expect(() => controlGroupName(id)).toThrow(RangeError);
    }
  });

  it("starts looking for a number within range", () => {
    fc.assert(
      fc.property(ids, (id) => {
        expect(firstNumber(id)).toBeGreaterThanOrEqual(0);
        expect(firstNumber(id)).toBeLessThan(networkCount);
      }),
    );
  });
});
