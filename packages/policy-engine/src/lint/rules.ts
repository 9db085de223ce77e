/** What lint looks for. Each rule is documented here and nowhere else: the reference page is made of this table. */

export type LintSeverity = "error" | "warning" | "note";

export interface LintRule {
  readonly severity: LintSeverity;
  /** What is found, and why it matters. */
  readonly about: string;
  /** What to do. */
  readonly remedy: string;
}

export const LINT_RULES = {
  "does-not-compile": {
    severity: "error",
    about: "The policy does not compile: a cluster refuses it.",
    remedy: "Correct the field that is named.",
  },
  "tests-fail": {
    severity: "error",
    about: "A case in spec.tests does not come out as it expects: a cluster refuses the policy.",
    remedy: "Run shieldctl policy test on it, and correct the rule or the case.",
  },
  "matches-everything": {
    severity: "warning",
    about:
      "The policy is about every resource of every group, with nothing that narrows it: each request waits for it.",
    remedy: "Name the groups and resources that the rules look at.",
  },
  "no-tests": {
    severity: "warning",
    about: "There is no case that the policy is held against before it goes into force.",
    remedy: "Add spec.tests: one object that has to pass, and one that has to be refused.",
  },
  "no-refused-case": {
    severity: "warning",
    about: "Every case in spec.tests passes: a rule that refuses nothing at all would pass them, too.",
    remedy: "Add a case with expect: {decision: deny}, best with the message it has to give.",
  },
  "no-passing-case": {
    severity: "note",
    about: "Every case in spec.tests is refused: a rule that refuses everything would do that, too.",
    remedy: "Add a case with expect: {decision: allow}.",
  },
  "deny-fails-open": {
    severity: "warning",
    about: "The policy refuses, and failurePolicy Ignore lets everything pass while it cannot be evaluated.",
    remedy: "Leave failurePolicy out (Fail), or be content with background: audit to find what slipped by.",
  },
  "costly-expression": {
    severity: "warning",
    about:
      "With lists of thirty items an expression costs more than the API server allows it, or all of them more than a quarter of what it allows a policy: such an object is refused for an error.",
    remedy:
      "Filter before you loop, loop once and not within loops, and put what is used twice into spec.variables.",
  },
  "constant-expression": {
    severity: "error",
    about: "The expression comes to the same whatever the request is.",
    remedy: "Write what it has to look at (object, oldObject, request), or remove it.",
  },
  "unused-variable": {
    severity: "warning",
    about: "No expression reads the variable: it is left over, or the rule that should read it does not.",
    remedy: "Remove it, or use it as variables.<name>.",
  },
  "unused-params": {
    severity: "warning",
    about: "The policy takes parameters that none of its rules reads.",
    remedy: "Read them as params (in Rego: input.parameters), or remove paramKind and paramRef.",
  },
  "unset-parameters": {
    severity: "warning",
    about: "The module reads input.parameters, and the policy has no paramKind: what it reads is not there.",
    remedy: "Set paramKind and paramRef, or write the values into the module.",
  },
  "message-missing": {
    severity: "warning",
    about: "A rule has no message: who is refused is shown the expression.",
    remedy: "Add message (or messageExpression): what is wrong, and what to do.",
  },
  "removed-api-version": {
    severity: "warning",
    about: "A rule names a version of an API that the API server no longer serves.",
    remedy: "Name the version that replaced it.",
  },
  "selector-excludes-nothing": {
    severity: "warning",
    about: "A namespaceSelector chooses every namespace that there is.",
    remedy:
      "Remove it, or write what it is to leave out; no policy is about kube-system and kube-node-lease anyway.",
  },
  "bypass-by-label": {
    severity: "warning",
    about:
      "The policy refuses only what its objectSelector chooses: who may label the object can step around it.",
    remedy: "Choose namespaces by namespaceSelector, or put what is meant into matchConditions.",
  },
  "updates-slip-by": {
    severity: "note",
    about:
      "The policy is about CREATE and not about UPDATE: an object that passed can be changed into one that would not.",
    remedy:
      "Add UPDATE to the operations; where the fields cannot change, say so by --disable updates-slip-by.",
  },
  "ephemeral-containers-slip-by": {
    severity: "warning",
    about:
      "The rules look at ephemeralContainers, which are added by the subresource pods/ephemeralcontainers, and no resource rule names it.",
    remedy: "Add pods/ephemeralcontainers to the resources, with the operation UPDATE.",
  },
  "unchecked-optional-field": {
    severity: "warning",
    about:
      "An expression reads a field that is often not there; where it is not, there is an error instead of an answer.",
    remedy: "Ask has(…) first, or read it as .?field with orValue(…).",
  },
  "optional-in-variable": {
    severity: "error",
    about:
      "A variable holds an optional, and a field is read after it: the API server does not look into it and finds nothing, whatever the object has.",
    remedy: "End the variable with orValue({}), or read the field where the optional begins.",
  },
  "image-pattern-unanchored": {
    severity: "warning",
    about:
      "A pattern that images have to match is found anywhere in the name: evil.example.com/docker.io/app has docker.io in it, too.",
    remedy: "Begin the pattern with ^.",
  },
  "image-prefix-open": {
    severity: "warning",
    about:
      "A prefix that images have to have ends within a host or a path: docker.io.evil.example.com/app begins with docker.io, too.",
    remedy: "End the prefix with a slash.",
  },
  "exceptions-everywhere": {
    severity: "note",
    about: "Exceptions are honoured in every namespace there is.",
    remedy: "Name the namespaces in spec.exceptions.namespaces.",
  },
  "rego-unused-import": {
    severity: "warning",
    about: "The module imports what it does not use.",
    remedy: "Remove the import.",
  },
  "rego-unused-variable": {
    severity: "warning",
    about:
      "A variable of a rule is used nowhere: it is left over, or a condition that should read it does not.",
    remedy: "Remove it, or call it _.",
  },
  "rego-no-message": {
    severity: "error",
    about:
      "The rule that holds what is wrong comes to true or false, or to objects without msg: there is nothing to tell who is refused.",
    remedy: 'Write deny contains msg if { …; msg := "what is wrong, and what to do" }.',
  },
} as const satisfies Readonly<Record<string, LintRule>>;

export type LintCode = keyof typeof LINT_RULES;

/** One thing that is likely wrong with a policy. */
export interface LintFinding {
  readonly code: LintCode;
  readonly severity: LintSeverity;
  /** Field of the policy, e.g. `spec.validations[0].expression`. */
  readonly path: string;
  readonly message: string;
}

export function finding(code: LintCode, path: string, message: string): LintFinding {
  const { severity, remedy }: LintRule = LINT_RULES[code];
  return { code, severity, path, message: `${message}: ${lowerFirst(remedy)}` };
}

function lowerFirst(text: string): string {
  const bare = text.endsWith(".") ? text.slice(0, -1) : text;
  return bare.charAt(0).toLowerCase() + bare.slice(1);
}

export function isLintCode(text: string): text is LintCode {
  return Object.hasOwn(LINT_RULES, text);
}
