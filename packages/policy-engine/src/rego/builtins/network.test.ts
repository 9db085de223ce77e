import { describe, expect, it } from "vitest";
import { RegoSet } from "../values.ts";
import { call } from "./builtins.test-kit.ts";

const sorted = (value: unknown) => (value as RegoSet).sorted();

describe("CIDR blocks", () => {
  it("contain addresses and blocks of both families", () => {
    expect(call("net.cidr_contains", "10.0.0.0/8", "10.1.2.3")).toBe(true);
    expect(call("net.cidr_contains", "10.0.0.0/8", "::ffff:10.1.2.3")).toBe(true);
    expect(call("net.cidr_contains", "2001:db8::/32", "2001:db8:1::/48")).toBe(true);
    expect(call("net.cidr_contains", "0.0.0.0/0", "::1")).toBe(false);
    expect(() => call("net.cidr_contains", "10.0.0.1/33", "10.0.0.1")).toThrow(
      "invalid CIDR address: 10.0.0.1/33",
    );
  });

  it("are merged to the fewest", () => {
    expect(sorted(call("net.cidr_merge", ["10.0.0.0/25", "10.0.0.128/25", "10.0.2.0/24"]))).toEqual([
      "10.0.0.0/24",
      "10.0.2.0/24",
    ]);
    expect(sorted(call("net.cidr_merge", new RegoSet(["::/1", "8000::/1"])))).toEqual(["::/0"]);
    expect(() => call("net.cidr_merge", ["::1"])).toThrow("IPv6 invalid: needs prefix length");
  });

  it("expand, but not without bound", () => {
    expect(sorted(call("net.cidr_expand", "192.168.1.1/30"))).toEqual([
      "192.168.1.0",
      "192.168.1.1",
      "192.168.1.2",
      "192.168.1.3",
    ]);
    expect(() => call("net.cidr_expand", "::/0")).toThrow("more than 262144 elements");
  });
});

describe("the outside world", () => {
  it("is out of reach by default", () => {
    expect(() => call("http.send", { method: "get", url: "http://example.com" })).toThrow(
      "list those it may call in spec.rego.allowedHosts",
    );
    expect(() => call("net.lookup_ip_addr", "example.com")).toThrow("unallowed host");
  });
});

describe("uri.parse", () => {
  it("takes a URL apart", () => {
    expect(call("uri.parse", "https://u:p@[::1]:8443/a%2Fb?q=1#f")).toEqual({
      scheme: "https",
      hostname: "::1",
      port: "8443",
      path: "/a/b",
      raw_path: "/a%2Fb",
      raw_query: "q=1",
      fragment: "f",
    });
  });
});
