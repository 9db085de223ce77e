import { describe, expect, it } from "vitest";
import { AllowedHostError, isAllowed, parseAllowedHost, shownHost } from "./hosts.ts";

describe("an entry of allowedHosts", () => {
  it.each<[string, string]>([
    ["api.example.com", "https://api.example.com:443/"],
    ["api.example.com:8443", "https://api.example.com:8443/"],
    ["10.0.0.1:8080", "https://10.0.0.1:8080/x"],
    ["[2001:db8::1]:8443", "https://[2001:db8::1]:8443/"],
    ["http://plain.example", "http://plain.example/"],
    ["http://plain.example:8080", "http://plain.example:8080/"],
    ["localhost", "https://localhost/"],
  ])("%s allows %s, and is shown as it was written", (entry, url) => {
    const host = parseAllowedHost(entry);
    expect(isAllowed(new URL(url), [host])).toBe(true);
    expect(isAllowed(new URL("https://another.example/"), [host])).toBe(false);
    expect(shownHost(host)).toBe(entry);
  });

  it.each([
    ["https://api.example.com", "is no host"],
    ["*.example.com", "is no host"],
    ["api.example.com/path", "is no host"],
    ["user@api.example.com", "is no host"],
    ["", "is no host"],
    ["api.example.com:99999", "is no host"],
    ["2001:db8::1", "is no host"],
    ["0x7f.1", "means 127.0.0.1: write that"],
    ["2130706433", "means 127.0.0.1: write that"],
    ["[0:0::1]", "means [::1]: write that"],
    ["API.example.com", "means api.example.com: write that"],
  ])("%s is refused", (entry, message) => {
    expect(() => parseAllowedHost(entry)).toThrow(AllowedHostError);
    expect(() => parseAllowedHost(entry)).toThrow(message);
  });
});
