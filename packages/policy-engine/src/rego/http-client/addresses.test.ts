import { expect, it } from "vitest";
import { refusedAddress } from "./addresses.ts";

it.each([
  "10.1.2.3",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "fd12::1",
  "::ffff:10.0.0.1",
  "64:ff9b::a00:1",
])("a name that somebody else gave may not lead to %s, in a private network", (address) => {
  expect(refusedAddress("storage.example", address)).toBeUndefined();
  expect(refusedAddress("storage.example", address, true)).toContain("an address of a private network");
});

it.each(["169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "fd00:ec2::254"])(
  "nor does any lead to %s",
  (address) => {
    for (const onlyPublic of [false, true])
      expect(refusedAddress("storage.example", address, onlyPublic)).toBeDefined();
  },
);

it("lets loopback be reached by its own name, where that is listed", () => {
  expect(refusedAddress("localhost", "127.0.0.1")).toBeUndefined();
  expect(refusedAddress("localhost", "127.0.0.1", true)).toContain("loopback");
  expect(refusedAddress("storage.example", "8.8.8.8", true)).toBeUndefined();
});
