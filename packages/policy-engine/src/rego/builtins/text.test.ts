import { describe, expect, it } from "vitest";
import { RegoObject, RegoSet } from "../values.ts";
import { call, callWith, testContext } from "./builtins.test-kit.ts";

describe("sprintf", () => {
  it.each([
    ["%d and %s", [5, "x"], "5 and x"],
    ["%v", [["a", 1, null]], '["a", 1, null]'],
    ["%v %v", [new RegoSet([2, 1]), new RegoObject([[1, "a"]])], '{1, 2} {1: "a"}'],
    ["%5d|%-5d|%05d|%+d", [42, 42, 42, 42], "   42|42   |00042|+42"],
    ["%x %X %o %b %c %q %U", [255, 255, 8, 5, 65, 65, 65], "ff FF 10 101 A 'A' U+0041"],
    ["%.2f %e %g", [2.71, 1234.5, 1e21], "2.71 1.234500e+03 1e+21"],
    ["%.0f %.0f", [0.5, 2.5], "0 2"],
    ["%v %v %v", [1234567.5, 0.00001, 1.5], "1.2345675e+06 1e-05 1.5"],
    ["%s", [5], "%!s(int64=5)"],
    ["%d", ["hi"], "%!d(string=hi)"],
    ["%d %d", [1], "1 %!d(MISSING)"],
    ["%d", [1, 2], "1%!(EXTRA int64=2)"],
    ["%[2]d %[1]d", [1, 2], "2 1"],
    ["%[3]d", [1], "%!d(BADINDEX)"],
    ["%*d", [5, 42], "   42"],
    ["100%%", [], "100%"],
    ["%", [], "%!(NOVERB)"],
    ["%q %x", ['a"b', "hi"], '"a\\"b" 6869'],
    ["%T %t", [1, "x"], "int64 %!t(string=x)"],
  ])("%s of %j", (format, args, expected) => {
    expect(call("sprintf", format, args)).toBe(expected);
  });

  it("refuses widths that would fill the memory", () => {
    expect(() => call("sprintf", "%999999d".repeat(20), Array(20).fill(1))).toThrow("longer than");
  });
});

describe("strings", () => {
  it("count runes", () => {
    expect(call("indexof", "añb", "b")).toBe(2);
    expect(call("indexof_n", "aXaXa", "aXa")).toEqual([0, 2]);
    expect(call("substring", "日本語", 1, 1)).toBe("本");
    expect(call("count", "😀a")).toBe(2);
    expect(call("strings.reverse", "a😀b")).toBe("b😀a");
  });

  it("change case rune by rune", () => {
    expect(call("upper", "straße")).toBe("STRASSE".replace("SS", "ß"));
    expect(call("lower", "ΑΣ")).toBe("ας".replace("ς", "σ"));
  });

  it("replace the first pattern that fits, left to right", () => {
    expect(call("strings.replace_n", { a: "b", ab: "X", b: "a" }, "abc")).toBe("bac");
    expect(call("replace", "abc", "", "-")).toBe("-a-b-c-");
  });

  it("split", () => {
    expect(call("split", "a.b", "")).toEqual(["a", ".", "b"]);
    expect(call("strings.split_n", "a.b.c", ".", 2)).toEqual(["a", "b"]);
    expect(call("strings.split_n", "a.b.c", ".", -2)).toEqual(["b", "c"]);
  });

  it("trim what Go calls space", () => {
    expect(call("trim_space", "\u0085\u3000 x\ufeff ")).toBe("x\ufeff");
    expect(call("trim", "¡¿x¿", "¿¡")).toBe("x");
  });

  it("refuse to grow without bound", () => {
    const long = "a".repeat(100_000);
    expect(() => call("replace", long, "a", "b".repeat(1_000))).toThrow("longer than");
    expect(() => call("concat", long, Array(1_000).fill("x"))).toThrow("longer than");
  });
});

describe("bytes that are no text", () => {
  it("survive decoding: the hash is of the bytes", () => {
    const decoded = call("base64.decode", "/wD+");
    expect(call("hex.encode", decoded!)).toBe("ff00fe");
    expect(call("base64.encode", decoded!)).toBe("/wD+");
    expect(call("crypto.sha256", decoded!)).toBe(call("crypto.sha256", call("hex.decode", "ff00fe")!));
  });
});

describe("templates", () => {
  const render = (text: string, data: Parameters<typeof call>[1]) =>
    call("strings.render_template", text, data);

  it("range, branch, call and trim", () => {
    expect(render("{{range $i, $e := .l}}{{if $i}}, {{end}}{{$e}}{{else}}none{{end}}", { l: [1, 2] })).toBe(
      "1, 2",
    );
    expect(render("{{range .l}}x{{else}}none{{end}}", { l: [] })).toBe("none");
    expect(render("{{with .a.b}}{{.}}{{end}} {{- if eq .n `2` `3`}} y{{end}}", { a: { b: "v" }, n: 3 })).toBe(
      "v y",
    );
    expect(render('{{define "t"}}<{{.}}>{{end}}{{template "t" .x}}', { x: 1 })).toBe("<1>");
    expect(render('{{printf "%s-%d" .s (len .s) | html}}', { s: "<a" })).toBe("&lt;a-2");
    expect(render("{{$x := 1}}{{range .l}}{{$x = .}}{{end}}{{$x}}", { l: [4, 5] })).toBe("5");
    expect(
      render("{{range .l}}{{if eq . `2`}}{{continue}}{{end}}{{if eq . `4`}}{{break}}{{end}}{{.}}{{end}}", {
        l: [1, 2, 3, 4, 5],
      }),
    ).toBe("13");
    expect(render("{{.missing}} {{/* comment */}}", {})).toBe("<undefined> ");
  });

  it("do not reach a prototype", () => {
    expect(render("{{.constructor}} {{.__proto__}}", {})).toBe("<undefined> <undefined>");
  });

  it("end, whatever they loop over", () => {
    expect(() => render("{{range 1000000000000000}}{{end}}", {})).toThrow("steps");
    expect(() => render('{{define "a"}}{{template "a"}}{{end}}{{template "a"}}', {})).toThrow("nested");
  });
});

describe("print", () => {
  it("shows undefined operands", () => {
    const context = testContext();
    callWith(context, "internal.print", [new RegoSet(["a"]), new RegoSet(), 3]);
    expect(context.printed).toEqual(["a <undefined> 3"]);
  });
});
