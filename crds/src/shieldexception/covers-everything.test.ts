import { expect, it } from "vitest";
import { coversEverything } from "./schema.ts";

const oneByOne = [..."abcdefghijklmnopqrstuvwxyz0123456789"].map((first) => `${first}*`);
const hasLabel = { matchExpressions: [{ key: "app", operator: "Exists" as const }] };

it.each([
  [{}, true],
  [{ objectSelector: { matchExpressions: [{ key: "never", operator: "DoesNotExist" as const }] } }, true],
  [{ objectSelector: hasLabel }, false],
  [{ kinds: ["Pod"] }, false],
  [{ names: ["web-*"] }, false],
  [{ names: ["we*", "a"] }, false],
  [{ names: ["w*"] }, true],
  [{ names: ["web", "w*"] }, true],
  [{ names: oneByOne }, true],
  [{ names: oneByOne, kinds: ["Pod"] }, false],
  [{ names: oneByOne, objectSelector: hasLabel }, false],
])("%j covers everything: %s", (match, expected) => expect(coversEverything(match)).toBe(expected));
