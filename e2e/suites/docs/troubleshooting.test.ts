// The troubleshooting guide leaves out no reason and no code that a person may be shown.
import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

const root = new URL("../../../", import.meta.url).pathname;
const page = readFileSync(`${root}docs/guides/troubleshooting.md`, "utf8");

const sources = (pattern: string): string =>
  globSync(pattern, { cwd: root, exclude: ["**/*.test.ts", "**/*.test-kit.ts"] })
    .map((file) => readFileSync(`${root}${file}`, "utf8"))
    .join("\n");

const found = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].flatMap((match) => match[1] ?? []);

/** The words of a union type, such as `type Code = "A" | "B"`. */
function wordsOfTypes(text: string, type: RegExp): string[] {
  return found(
    text,
    new RegExp(`(?:${type.source})\\s*[:=]((?:\\s*(?:/\\*\\*.*?\\*/)?\\s*\\|?\\s*"\\w+")+)`, "gs"),
  ).flatMap((body) => found(body, /"(\w+)"/g));
}

const operator = sources("operator/src/**/*.ts");
const shown = new Set([
  ...found(operator, /\breason: "([A-Z]\w+)"/g),
  ...found(operator, /\b(?:no|notEnforced)\(\s*"([A-Z]\w+)"/g),
  ...found(operator, /\breason: \w[^,;]* \? "([A-Z]\w+)"/g),
  ...found(operator, /\breason: \w[^,;]* \? "\w+" : "([A-Z]\w+)"/g),
  ...found(operator, /\bcode: "([A-Z]\w+)"/g),
  ...wordsOfTypes(operator, /readonly code/),
  ...found(sources("webhooks/src/**/*.ts"), /\breason: "([A-Z]\w+)"/g),
  ...wordsOfTypes(sources("webhooks/src/**/*.ts"), /HttpErrorCode|readonly code/),
  ...wordsOfTypes(sources("packages/policy-engine/src/**/*.ts"), /\w*Code|readonly code|readonly reason/),
  ...wordsOfTypes(sources("packages/pki/src/errors.ts"), /PkiErrorCode/),
  ...wordsOfTypes(
    sources("packages/controller-runtime/src/{transport,credentials}/*.ts"),
    /TransportErrorCode|CredentialsErrorCode/,
  ),
  ...wordsOfTypes(sources("packages/controller-runtime/src/status/*.ts"), /RefusalReason/),
  ...found(sources("cli/src/**/*.ts"), /new UsageError\(\s*"(\w+)"/g),
]);

it("finds what is shown", () => {
  const some = [
    "InForce",
    "PartlyLoaded",
    "WaitingForReplica",
    "NotCompiled",
    "Expired",
    "NotExpired",
    "TooLong",
  ];
  expect([...shown]).toEqual(
    expect.arrayContaining([
      ...some,
      "PolicyViolation",
      "ExecFailed",
      "TlsFailed",
      "pem_invalid",
      "Overloaded",
      "OldServer",
    ]),
  );
  expect(shown.size).toBeGreaterThan(70);
});

it.each([...shown].sort())("explains %s", (word) => {
  expect(page).toContain(`\`${word}\``);
});
