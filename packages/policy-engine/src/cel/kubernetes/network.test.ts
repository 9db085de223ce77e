import { describe, expect, it } from "vitest";
import { costOf, errorOf, evaluate, evaluateToJson } from "./evaluate.test-kit.ts";

describe("ip", () => {
  it("writes addresses in canonical form", () => {
    for (const [text, canonical] of [
      ["127.0.0.1", "127.0.0.1"],
      ["2001:DB8::0:0:0:ABCD", "2001:db8::abcd"],
      ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
      ["0:0:1::1:0:0", "::1:0:0:1:0:0"],
      ["1:2:3:4:5:6:7:0", "1:2:3:4:5:6:7:0"],
      ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
      ["::", "::"],
    ]) {
      expect(evaluate("string(ip(s))", { s: text! }), text).toBe(canonical);
      expect(evaluate("ip.isCanonical(s)", { s: text! }), text).toBe(text === canonical);
    }
  });

  it("refuses what is no plain address, and says why", () => {
    const failure = (s: string) => errorOf("ip(s)", { s });
    expect(failure("127.0.0.256")).toBe(
      'IP Address "127.0.0.256" parse error during conversion from string: ParseAddr("127.0.0.256"): IPv4 field has value >255',
    );
    expect(failure("1.2.3.04")).toContain("IPv4 field has octet with leading zero");
    expect(failure("1..2.3")).toContain('IPv4 field must have at least one digit (at ".2.3")');
    expect(failure(":::1")).toContain(
      'ParseAddr(":::1"): each colon-separated field must have at least one digit (at ":1")',
    );
    expect(failure("1:2:3")).toContain("address string too short");
    expect(failure("1::2::3")).toContain('multiple :: in address (at ":3")');
    expect(failure("fe80::1%eth0")).toBe('IP address "fe80::1%eth0" with zone value is not allowed');
    expect(failure("::ffff:1.2.3.4")).toBe('IPv4-mapped IPv6 address "::ffff:1.2.3.4" is not allowed');
    expect(evaluate("isIP('::ffff:1.2.3.4') || isIP('') || isIP('a')")).toBe(false);
  });

  it("knows kinds of addresses", () => {
    expect(
      evaluate(
        `['0.0.0.0', '127.9.9.9', '224.0.0.7', '224.0.1.1', '169.254.1.1', '10.0.0.1', '255.255.255.255',
          '::', '::1', 'ff02::1', 'ff0e::1', 'fe80::1', 'fd00::1'].map(s, ip(s)).map(i,
            (i.isUnspecified() ? 'u' : '') + (i.isLoopback() ? 'l' : '') + (i.isLinkLocalMulticast() ? 'm' : '') +
            (i.isLinkLocalUnicast() ? 'k' : '') + (i.isGlobalUnicast() ? 'g' : '') + string(i.family()))`,
      ),
    ).toEqual(["u4", "l4", "m4", "4", "k4", "g4", "4", "u6", "l6", "m6", "6", "k6", "g6"]);
  });
});

describe("cidr", () => {
  it("keeps bits beyond the prefix until it is masked", () => {
    expect(
      evaluateToJson("[string(cidr(s)), string(cidr(s).masked()), string(cidr(s).ip())]", {
        s: "192.168.3.7/22",
      }),
    ).toEqual(["192.168.3.7/22", "192.168.0.0/22", "192.168.3.7"]);
    expect(evaluate("cidr(s) == cidr(s).masked()", { s: "10.0.0.1/8" })).toBe(false);
    expect(evaluate("string(cidr('::1/0').masked())")).toBe("::/0");
  });

  it("contains addresses and narrower prefixes of its family", () => {
    expect(
      evaluateToJson(
        `[cidr(s).containsIP('10.1.2.3'), cidr(s).containsIP(ip('11.0.0.1')), cidr(s).containsIP('::1'),
          cidr(s).containsCIDR('10.2.0.0/16'), cidr(s).containsCIDR(cidr('10.0.0.0/7')),
          cidr('0.0.0.0/0').containsCIDR('1.2.3.4/32'), cidr(s).containsCIDR('::/64')]`,
        { s: "10.0.0.0/8" },
      ),
    ).toEqual([true, false, false, true, false, true, false]);
  });

  it("refuses malformed prefixes with the server's text", () => {
    expect(errorOf("cidr('10.0.0.0/33')")).toBe(
      'network address parse error during conversion from string: network address parse error during conversion from string: netip.ParsePrefix("10.0.0.0/33"): prefix length out of range',
    );
    expect(errorOf("cidr('10.0.0.0/08')")).toContain('bad bits after slash: "08"');
    expect(errorOf("cidr('fe80::1%a/64')")).toContain("IPv6 zones cannot be present in a prefix");
    expect(errorOf("cidr('10.0.0.0/8').containsIP('x')")).toBe("no such overload");
    expect(evaluate("['10.0.0.0', '10.0.0.0/8', '::ffff:1.2.3.4/120'].map(s, isCIDR(s))")).toEqual([
      false,
      true,
      false,
    ]);
  });

  it("costs what traversing texts and addresses costs", () => {
    // 1 to read the variable, 2 to read 12 characters, then 1 for two bytes; the argument's 11 characters cost 2.
    expect(costOf("cidr(s).prefixLength()", { s: "192.168.0.10/16" })).toBe(4);
    expect(costOf("cidr(s).containsIP('192.168.0.10')", { s: "192.168.0.0/16" })).toBe(6);
  });
});
