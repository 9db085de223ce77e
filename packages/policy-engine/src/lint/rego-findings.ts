/** What is likely wrong with a module, by its tokens: what does not compile the compiler tells. */
import type { ShieldPolicySpec } from "@shieldx/crds";
import { imagePatternProblem, imagePrefixProblem } from "./image-match.ts";
import { type RegoToken, regoTokens } from "./rego-tokens.ts";
import { finding, type LintFinding } from "./rules.ts";

export function regoFindings(spec: ShieldPolicySpec): LintFinding[] {
  const { module, libs = [], entrypoint } = spec.rego ?? {};
  if (module === undefined) return [];
  const texts = [module, ...libs];
  return [
    ...parameterFindings(spec, texts),
    ...texts.flatMap((text, index) => {
      const path = index === 0 ? "spec.rego.module" : `spec.rego.libs[${index - 1}]`;
      const tokens = regoTokens(text);
      const statements = statementsOf(tokens);
      return [
        ...importFindings(statements, path),
        ...statements.flatMap((statement) => variableFindings(statement, path)),
        ...statements.flatMap((statement) => imageFindings(statement, path)),
        ...(index === 0
          ? statements.flatMap((each) => messageFindings(each, rulesOf(entrypoint), path))
          : []),
      ];
    }),
  ];
}

function parameterFindings({ paramKind, rego }: ShieldPolicySpec, texts: readonly string[]): LintFinding[] {
  const reads = texts.some((text) => mentionsParameters(regoTokens(text)));
  const gives = /\bwith\s+input(?:\.parameters)?\s+as\b/.test(rego?.module ?? "");
  if (paramKind !== undefined && !reads)
    return [finding("unused-params", "spec.paramKind", "the module does not read input.parameters")];
  if (paramKind === undefined && reads && !gives)
    return [finding("unset-parameters", "spec.rego.module", "reads input.parameters, which nothing sets")];
  return [];
}

function mentionsParameters(tokens: readonly RegoToken[]): boolean {
  return tokens.some(
    ({ text }, at) =>
      text === "input" &&
      ((tokens[at + 1]?.text === "." && tokens[at + 2]?.text === "parameters") ||
        (tokens[at + 1]?.text === "[" && tokens[at + 2]?.text === '"parameters"')),
  );
}

type Statement = readonly RegoToken[];

/** What begins at the margin of a line outside all brackets: a package, an import, a rule. */
function statementsOf(tokens: readonly RegoToken[]): Statement[] {
  const statements: RegoToken[][] = [];
  for (const token of tokens) {
    const begins = token.isFirst && token.depth === 0 && token.kind === "name" && token.text !== "else";
    if (begins || statements.length === 0) statements.push([]);
    statements.at(-1)?.push(token);
  }
  return statements;
}

function at(path: string, { line }: RegoToken): string {
  return `${path}:${line}`;
}

function importFindings(statements: readonly Statement[], path: string): LintFinding[] {
  const [imports, others] = [statements.filter(isImport), statements.filter((each) => !isImport(each))];
  const used = new Set(others.flatMap(namesIn));
  return imports.flatMap((statement) => {
    const [first, root, , ...rest] = statement;
    if (first === undefined || root === undefined || root.text === "rego" || root.text === "future")
      return [];
    const as = rest.findIndex(({ text }) => text === "as");
    const last = as === -1 ? statement.at(-1) : rest[as + 1];
    const name = last?.kind === "string" ? last.text.slice(1, -1) : last?.text;
    if (name === undefined || used.has(name)) return [];
    return [finding("rego-unused-import", at(path, first), `nothing uses ${name}`)];
  });
}

function isImport([first]: Statement): boolean {
  return first?.text === "import";
}

/** Names that stand by themselves, and not after a dot. */
function namesIn(statement: Statement): string[] {
  return statement.flatMap(({ kind, text }, index) =>
    kind === "name" && statement[index - 1]?.text !== "." ? [text] : [],
  );
}

/** `x := …` and `some x` of which nothing more is said in the rule. */
function variableFindings(statement: Statement, path: string): LintFinding[] {
  const uses = new Map<string, number>();
  for (const name of namesIn(statement)) uses.set(name, (uses.get(name) ?? 0) + 1);
  return statement.flatMap((token, index) => {
    const isDeclared =
      token.kind === "name" &&
      token.depth > 0 &&
      token.text !== "_" &&
      (statement[index + 1]?.text === ":=" || statement[index - 1]?.text === "some");
    if (!isDeclared || statement[index - 1]?.text === "." || uses.get(token.text) !== 1) return [];
    return [finding("rego-unused-variable", at(path, token), `nothing reads ${token.text}`)];
  });
}

function rulesOf(entrypoint: string | undefined): readonly string[] {
  return entrypoint === undefined
    ? ["violation", "deny"]
    : [entrypoint.slice(entrypoint.lastIndexOf(".") + 1)];
}

/** `deny if …`, `deny = true`, `deny { … }`, and objects without msg. */
function messageFindings(statement: Statement, rules: readonly string[], path: string): LintFinding[] {
  const [first, second] = statement;
  if (first === undefined || second === undefined || !rules.includes(first.text)) return [];
  const tell = (message: string) => [finding("rego-no-message", at(path, first), message)];
  if (["{", "if"].includes(second.text)) return tell(`${first.text} comes to true`);
  if ([":=", "="].includes(second.text)) {
    const value = statement[2]?.text;
    return value === "true" || value === "false" ? tell(`${first.text} comes to ${value}`) : [];
  }
  if (second.text !== "[" && second.text !== "contains") return [];
  const [open] = statement.slice(2);
  if (open?.text !== "{") return [];
  const end = statement.findIndex(
    ({ text, depth }, index) => index > 2 && text === "}" && depth === open.depth,
  );
  const isTold = statement.slice(2, end === -1 ? undefined : end).some(({ text }) => text === '"msg"');
  return isTold ? [] : tell(`what ${first.text} holds has no msg`);
}

/** `startswith(image, "docker.io")`, `regex.match("docker.io", image)`. */
function imageFindings(statement: Statement, path: string): LintFinding[] {
  return statement.flatMap((token, index) => {
    if (!["startswith", "re_match", "match"].includes(token.text) || statement[index + 1]?.text !== "(")
      return [];
    const args = argumentsOf(statement, index + 1);
    const [first, second] = args;
    if (first === undefined || second === undefined) return [];
    const place = at(path, token);
    if (token.text === "startswith") {
      const prefix = stringOf(second);
      return prefix === undefined ? [] : imagePrefixProblem(textOf(first), prefix, place);
    }
    const isMatch =
      token.text === "re_match" || (token.text === "match" && statement[index - 2]?.text === "regex");
    const pattern = isMatch ? stringOf(first) : undefined;
    return pattern === undefined ? [] : imagePatternProblem(textOf(second), pattern, place);
  });
}

function argumentsOf(statement: Statement, open: number): Statement[] {
  const depth = statement[open]?.depth ?? 0;
  const args: RegoToken[][] = [[]];
  for (const token of statement.slice(open + 1)) {
    if (token.text === ")" && token.depth === depth) return args;
    if (token.text === "," && token.depth === depth + 1) args.push([]);
    else args.at(-1)?.push(token);
  }
  return [];
}

function stringOf(tokens: Statement): string | undefined {
  const [only, ...others] = tokens;
  return only?.kind === "string" && others.length === 0 ? only.text.slice(1, -1) : undefined;
}

function textOf(tokens: Statement): string {
  return tokens.map(({ text }) => text).join("");
}
