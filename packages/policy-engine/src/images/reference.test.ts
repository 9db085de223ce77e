import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ImagePatternError, parseImagePattern } from "./pattern.ts";
import { ImageReferenceError, parseImageReference, pinned, shownReference } from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

describe("a reference to an image", () => {
  it.each([
    ["nginx", "docker.io/library/nginx:latest"],
    ["nginx:1.27", "docker.io/library/nginx:1.27"],
    ["bitnami/redis", "docker.io/bitnami/redis:latest"],
    ["docker.io/nginx", "docker.io/library/nginx:latest"],
    ["index.docker.io/library/nginx", "docker.io/library/nginx:latest"],
    ["registry-1.docker.io/library/nginx", "docker.io/library/nginx:latest"],
    ["registry.example.com/a/b/c:v1", "registry.example.com/a/b/c:v1"],
    ["REGISTRY.example.com:443/a", "registry.example.com/a:latest"],
    ["registry.example.com:5000/a", "registry.example.com:5000/a:latest"],
    ["localhost/a", "localhost/a:latest"],
    ["localhost:5000/a__b-c.d", "localhost:5000/a__b-c.d:latest"],
    ["[2001:DB8::1]:5000/a", "[2001:db8::1]:5000/a:latest"],
    [`a/b:v1@${digest}`, `docker.io/a/b@${digest}`],
    [`a/b@${digest}`, `docker.io/a/b@${digest}`],
  ])("%s is %s", (text, shown) => {
    expect(shownReference(parseImageReference(text))).toBe(shown);
  });

  it.each([
    "",
    "A/b",
    "a/",
    "/a",
    "a//b",
    "a/B",
    "a/b:",
    "a/b:v 1",
    "a/b@sha256:1",
    `a/b@${digest.toUpperCase()}`,
    `a/b@sha512:${"a".repeat(128)}`,
    `a@${digest}@${digest}`,
    "registry.example.com./a",
    "-a.example.com/a",
    "a.example.com:port/a",
    "a.example.com:123456/a",
    "https://registry.example.com/a",
    "user@registry.example.com/a",
    "a/b___c",
    "a/-b",
    "a/b..c",
    `a/${"b".repeat(300)}`,
    "a\n/b",
    "registry.example.com/a/../b",
    "registry.example.com/a%2Fb",
    "registry.example.com/a?b",
  ])("%j is none", (text) => {
    expect(() => parseImageReference(text)).toThrow(ImageReferenceError);
  });

  it("is read again as the same once it is pinned", () => {
    for (const text of ["nginx", "registry.example.com:5000/a/b:v1"]) {
      const before = parseImageReference(text);
      const after = parseImageReference(pinned(text, digest));
      expect([after.registry, after.repository, after.digest]).toEqual([
        before.registry,
        before.repository,
        digest,
      ]);
    }
  });

  it("is read or refused, whatever it is", () => {
    const part = fc.constantFrom(
      "a",
      "B",
      "0",
      ".",
      "_",
      "-",
      "/",
      ":",
      "@",
      "[",
      "]",
      "%",
      " ",
      "ü",
      "localhost",
      "docker.io",
      digest,
    );
    const text = fc.oneof(
      fc.array(part, { maxLength: 20 }).map((parts) => parts.join("")),
      fc.string(),
    );
    fc.assert(
      fc.property(text, (given) => {
        try {
          const image = parseImageReference(given);
          expect(image.repository).toMatch(/^[a-z0-9._/-]+$/);
          // One spelling, which is its own.
          expect(parseImageReference(shownReference(image))).toMatchObject({
            registry: image.registry,
            repository: image.repository,
          });
          // It goes into a URL as it is.
          expect(new URL(`https://x/v2/${image.repository}/m`).pathname).toBe(`/v2/${image.repository}/m`);
        } catch (error) {
          if (!(error instanceof ImageReferenceError)) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a pattern of images", () => {
  const matches = (pattern: string, text: string) =>
    parseImagePattern(pattern).matches(parseImageReference(text));

  it.each([
    ["registry.example.com/**", "registry.example.com/a", true],
    ["registry.example.com/**", "registry.example.com/a/b/c:v1", true],
    ["registry.example.com/**", "registry.example.com:5000/a", false],
    ["registry.example.com/**", "registry.example.com.evil.example/a", false],
    ["registry.example.com/**", "evil.example/registry.example.com/a", false],
    ["registry.example.com/a/**", "registry.example.com/a", false],
    ["registry.example.com/a/**", "registry.example.com/ab/c", false],
    ["registry.example.com/a/*", "registry.example.com/a/b", true],
    ["registry.example.com/a/*", "registry.example.com/a/b/c", false],
    ["registry.example.com/**/web", "registry.example.com/a/b/web", true],
    ["registry.example.com/**/web", "registry.example.com/web", false],
    ["registry.example.com/team-*/w*b", "registry.example.com/team-a/web", true],
    ["docker.io/library/nginx", "nginx", true],
    ["docker.io/library/nginx", "INDEX.DOCKER.IO/nginx", true],
    ["*.example.com/**", "a.example.com/b", true],
    ["*.example.com/**", "a.b.example.com/b", true],
    ["*.example.com/**", "example.com/b", false],
    ["**", "nginx", true],
    ["**", "localhost:5000/a/b", true],
    ["*/**", "quay.io/a/b", true],
  ])("%s and %s: %s", (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it.each([
    ["nginx", "begins with no registry: write docker.io/nginx"],
    ["payments/**", "write docker.io/payments/**"],
    ["docker.io/nginx", "write docker.io/library/nginx"],
    ["index.docker.io/library/nginx", "another spelling of docker.io"],
    ["registry.example.com:443/a", "another spelling of registry.example.com: write that"],
    ["Registry.example.com/a", "another spelling of registry.example.com"],
    ["0x7f.1/a", "means 127.0.0.1: write that"],
    ["registry.example.com/a:v1", "has a tag or a digest: leave it out"],
    [`registry.example.com/a@${digest}`, "has a tag or a digest"],
    ["registry.example.com", "write registry.example.com/**"],
    ["registry.example.com/a**", "** beside something else"],
    ["registry.example.com//a", "an empty part"],
    ["registry.example.com/A", "other than lower case"],
    ["*", "names no repository"],
  ])("%s is refused: %s", (pattern, problem) => {
    expect(() => parseImagePattern(pattern)).toThrow(ImagePatternError);
    expect(() => parseImagePattern(pattern)).toThrow(problem);
  });

  it("takes no longer for many stars than for few", () => {
    const pattern = `registry.example.com/${"*a".repeat(120)}b`;
    expect(matches(pattern, `registry.example.com/${"a".repeat(200)}`)).toBe(false);
    const deep = `registry.example.com/${"**/".repeat(100)}z`;
    expect(matches(deep, `registry.example.com/${"a/".repeat(110)}b`)).toBe(false);
  });
});
