/**
 * Suites of Gatekeeper's `gator verify` (test.gatekeeper.sh), as its pkg/gator/verify reads them: templates and constraints
 * with the objects they are held against.
 */
import { at, isPlain, type Plain, textAt } from "../foreign/plain.ts";
import { TestFormatError } from "./test-format-error.ts";

export interface GatekeeperSuite {
  /** As it was given. */
  readonly file: string;
  readonly line: number;
  readonly isSkipped: boolean;
  readonly tests: readonly GatekeeperTest[];
}

/** Files are named relative to that of the suite. */
export interface GatekeeperTest {
  readonly name: string;
  readonly template: string;
  readonly constraint: string;
  readonly expansion?: string | undefined;
  /** The constraint's parameters are not such as its template takes. */
  readonly isInvalid: boolean;
  readonly isSkipped: boolean;
  readonly cases: readonly GatekeeperCase[];
}

export interface GatekeeperCase {
  readonly name: string;
  readonly object: string;
  readonly inventory: readonly string[];
  readonly assertions: readonly GatekeeperAssertion[];
  readonly isSkipped: boolean;
}

export interface GatekeeperAssertion {
  /** So many of them, at least one, or none. */
  readonly violations: number | "yes" | "no";
  /** A pattern that counts only violations whose message has it. */
  readonly message?: string | undefined;
}

export function isGatekeeperSuite(object: unknown): boolean {
  return (
    textAt(object, "apiVersion")?.startsWith("test.gatekeeper.sh/") === true &&
    textAt(object, "kind") === "Suite"
  );
}

/** Throws TestFormatError. */
export function readGatekeeperSuite(object: unknown, file: string, line: number): GatekeeperSuite {
  return {
    file,
    line,
    isSkipped: at(object, "skip") === true,
    tests: listOf(object, "tests", "").map(([test, path]) => ({
      name: textAt(test, "name") ?? path,
      template: textAt(test, "template") ?? "",
      constraint: textAt(test, "constraint") ?? "",
      expansion: textAt(test, "expansion"),
      isInvalid: at(test, "invalid") === true,
      isSkipped: at(test, "skip") === true,
      cases: listOf(test, "cases", `${path}.`).map(([each, where]) => caseOf(each, where)),
    })),
  };
}

function caseOf(each: Plain, path: string): GatekeeperCase {
  const inventory = at(each, "inventory") ?? [];
  if (!Array.isArray(inventory) || !inventory.every((file) => typeof file === "string"))
    throw new TestFormatError(`${path}.inventory`, "must be a list of files");
  return {
    name: textAt(each, "name") ?? path,
    object: textAt(each, "object") ?? "",
    inventory,
    isSkipped: at(each, "skip") === true,
    assertions: listOf(each, "assertions", `${path}.`).map(([assertion, where]) => ({
      violations: violationsOf(at(assertion, "violations"), `${where}.violations`),
      message: textAt(assertion, "message"),
    })),
  };
}

/** YAML 1.1 has truth values for yes and no. */
function violationsOf(value: unknown, path: string): GatekeeperAssertion["violations"] {
  if (value === undefined || value === true || value === "yes") return "yes";
  if (value === false || value === "no") return "no";
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw new TestFormatError(path, "must be yes, no or a number of violations");
}

function listOf(object: unknown, key: string, before: string): (readonly [Plain, string])[] {
  const list = at(object, key) ?? [];
  if (!Array.isArray(list)) throw new TestFormatError(`${before}${key}`, "must be a list");
  return list.map((item: unknown, index) => {
    const path = `${before}${key}[${index}]`;
    if (!isPlain(item)) throw new TestFormatError(path, "must be an object");
    return [item, path];
  });
}
