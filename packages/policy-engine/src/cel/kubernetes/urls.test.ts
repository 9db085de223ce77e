import { describe, expect, it } from "vitest";
import { errorOf, evaluate, evaluateToJson } from "./evaluate.test-kit.ts";

const pieces =
  "[url(s).getScheme(), url(s).getHost(), url(s).getHostname(), url(s).getPort(), url(s).getEscapedPath()]";

describe("url", () => {
  it("takes URLs apart as Go does", () => {
    for (const [text, expected] of [
      [
        "HTTPS://user:p%40ss@example.com:80/path?q=v#f",
        ["https", "example.com:80", "example.com", "80", "/path"],
      ],
      ["https://[::1]:80/a b", ["https", "[::1]:80", "::1", "80", "/a%20b"]],
      ["http://[fe80::1%25en0]/", ["http", "[fe80::1%en0]", "fe80::1%en0", "", "/"]],
      ["http://exa%C3%A9mple.com/%2F%7e", ["http", "exaémple.com", "exaémple.com", "", "/%2F%7e"]],
      ["/absolute-path", ["", "", "", "", "/absolute-path"]],
      ["mailto:joe@x", ["mailto", "", "", "", ""]],
      ["ftp://a:1,b:2/", ["ftp", "a:1,b:2", "a:1,b", "2", "/"]],
    ] as const) {
      expect(evaluateToJson(pieces, { s: text }), text).toEqual(expected);
    }
  });

  it("decodes queries and leaves malformed pairs out", () => {
    expect(evaluateToJson("url('http://h/?k=a&k=b+c&%zz=1&x;y=2&e&=v&__proto__=p').getQuery()")).toEqual(
      JSON.parse('{"k": ["a", "b c"], "e": [""], "": ["v"], "__proto__": ["p"]}'),
    );
    const many = `http://h/?${"a=b&".repeat(10_001)}`;
    expect(evaluateToJson("url(s).getQuery()", { s: many })).toEqual({});
  });

  it("refuses what is no absolute URL, and says why", () => {
    const failure = (s: string) => errorOf("url(s)", { s });
    expect(failure("../relative-path")).toBe(
      'URL parse error during conversion from string: parse "../relative-path": invalid URI for request',
    );
    expect(failure("https://a:b:c/")).toContain('invalid port ":b:c" after host');
    expect(failure("http://h/%zé")).toContain('invalid URL escape "%z\\xc3"');
    expect(failure("http://a b/")).toContain('invalid character " " in host name');
    expect(failure("http://[1.2.3.4]/")).toContain("invalid IP-literal");
    expect(failure("")).toContain('parse "": empty url');
    expect(failure(":x")).toContain("missing protocol scheme");
    expect(failure("http://h/\n")).toContain("invalid control character in URL");
    expect(evaluate("isURL('a:b') && !isURL('b') && isURL('*')")).toBe(true);
  });

  it("compares URLs by their normal form, and only with URLs", () => {
    expect(evaluate("url('HTTP://h/%41') == url('http://h/A')")).toBe(false);
    expect(evaluate("url('HTTP://h/a b') == url('http://h/a%20b')")).toBe(true);
    expect(errorOf("url('http://h') == ip('1.2.3.4')")).toBe("no such overload");
  });
});
