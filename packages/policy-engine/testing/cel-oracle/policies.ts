/** Policies at random: each of its functions in turn, in expressions that deny, that fail and that do not compile. */
import { Random } from "../random.ts";
import { ExpressionGenerator, type ExpressionScope, type TypedName } from "./expression-generator.ts";
import { functionCatalogue, type Signature } from "./function-catalogue.ts";
import { type ObjectKind, objectKinds } from "./objects.ts";

export interface OraclePolicySpec {
  readonly failurePolicy: "Fail" | "Ignore";
  readonly paramKind?: { readonly apiVersion: string; readonly kind: string };
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
  readonly variables?: readonly { readonly name: string; readonly expression: string }[];
  readonly validations?: readonly {
    readonly expression: string;
    readonly message?: string;
    readonly messageExpression?: string;
    readonly reason?: string;
  }[];
  readonly auditAnnotations?: readonly { readonly key: string; readonly valueExpression: string }[];
}

export interface ParamRef {
  readonly name?: string;
  readonly namespace?: string;
  readonly selector?: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly parameterNotFoundAction: "Allow" | "Deny";
}

export interface OraclePolicy {
  readonly seed: number;
  readonly kind: ObjectKind;
  readonly spec: OraclePolicySpec;
  readonly paramRef?: ParamRef;
  /** Keys of the functions and macros in its expressions. */
  readonly used: readonly string[];
  /** Spends a cost limit: asked about less often, since the server takes its time over it. */
  readonly isHeavy: boolean;
}

/** Parameter objects the server holds: ConfigMaps of namespace `default`. */
export const paramObjects = [
  paramObject("limits", { a: "web", limit: "3", prefix: "w", empty: "" }),
  paramObject("limits-2", { a: "db", limit: "10", prefix: "o" }),
];

function paramObject(name: string, data: Readonly<Record<string, string>>) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: "default", labels: { params: "yes" } },
    data,
  };
}

const paramPaths = {
  string: [
    "params.data.a",
    "params.data.prefix",
    "params.metadata.name",
    "params.data.missing",
    "params.kind",
  ],
  int: ["int(params.data.limit)", "size(params.data)"],
  bool: ["params == null", "has(params.data.limit)"],
} as const;

const variableTypes = [
  "int",
  "string",
  "bool",
  "list<string>",
  "list<int>",
  "double",
  "timestamp",
  "duration",
  "map<string,int>",
  "ip",
  "quantity",
  "optional<int>",
  "semver",
];

/** The policy of this seed; `turn` says which function of the catalogue it must call. */
export function oraclePolicy(seed: number, turn: number): OraclePolicy {
  const random = new Random(seed);
  const kind = random.pick(objectKinds);
  return turn % 80 === 17 ? heavyPolicy(seed, random, kind) : variedPolicy(seed, turn, random, kind);
}

/** Loops whose cost comes near the limit of one expression (1,000,000), and over the budget of all (10,000,000). */
function heavyPolicy(seed: number, random: Random, kind: ObjectKind): OraclePolicy {
  const loop = () => {
    const [outer, inner] = random.pick([
      [100, 10],
      [300, 200],
      [400, 300],
      [500, 450],
    ] as const);
    return random.pick([
      `lists.range(${outer}).all(a, lists.range(${inner}).all(b, a + b >= 0))`,
      `lists.range(${outer}).map(a, lists.range(${inner}).filter(b, b % 7 == a % 7).size()).sum() > 1`,
      `lists.range(${outer}).exists(a, lists.range(${inner}).exists(b, object.metadata.name.contains('zzz')))`,
      `lists.range(${outer}).all(a, string(a).matches('^[0-9]+$'))`,
    ]);
  };
  const count = random.pick([1, 2, 12]);
  const variables = random.chance(0.5) ? [{ name: "x0", expression: loop() }] : [];
  const uses = variables.length > 0 ? "variables.x0 && " : "";
  return {
    seed,
    kind,
    used: ["limits: cost"],
    isHeavy: true,
    spec: {
      failurePolicy: random.chance(0.8) ? "Fail" : "Ignore",
      ...(random.chance(0.3)
        ? {
            matchConditions: [loop(), loop(), loop()].map((expression, at) => ({
              name: `m${at}`,
              expression,
            })),
          }
        : {}),
      ...(variables.length > 0 ? { variables } : {}),
      validations: Array.from({ length: count }, () => ({
        expression: `${uses}${loop()}`,
        ...(random.chance(0.3) ? { messageExpression: `string(${loop()})` } : {}),
      })),
    },
  };
}

function variedPolicy(seed: number, turn: number, random: Random, kind: ObjectKind): OraclePolicy {
  return new PolicyWriter(seed, random, kind).policy(turn);
}

/** Functions of the catalogue lie this far apart in the two rules of a policy that must call one. */
const SECOND_FOCUS = 92;

class PolicyWriter {
  readonly #seed: number;
  readonly #random: Random;
  readonly #kind: ObjectKind;
  readonly #withParams: boolean;
  readonly #paths: Readonly<Record<string, readonly string[]>>;
  readonly #variables: TypedName[] = [];
  readonly #used: string[] = [];

  constructor(seed: number, random: Random, kind: ObjectKind) {
    this.#seed = seed;
    this.#random = random;
    this.#kind = kind;
    this.#withParams = random.chance(0.2);
    const paths: Record<string, readonly string[]> = { ...kind.paths };
    if (this.#withParams)
      for (const [type, list] of Object.entries(paramPaths))
        paths[type] = [...(paths[type] ?? []), ...list, ...list];
    this.#paths = paths;
  }

  policy(turn: number): OraclePolicy {
    const random = this.#random;
    const variables = this.#declareVariables(random.chance(0.5) ? random.below(4) : 0);
    const matchConditions = this.#conditions(random.chance(0.25) ? 1 + random.below(2) : 0);
    const validations = Array.from({ length: 2 + random.below(2) }, (_, at) =>
      this.#rule(
        at,
        at < 2 ? functionCatalogue[(turn + at * SECOND_FOCUS) % functionCatalogue.length] : undefined,
      ),
    );
    const auditAnnotations = random.chance(0.1) ? [{ key: "note", valueExpression: this.#text(false) }] : [];
    const withParams = this.#withParams;
    return {
      seed: this.#seed,
      kind: this.#kind,
      used: this.#used,
      isHeavy: false,
      spec: {
        failurePolicy: random.chance(0.8) ? "Fail" : "Ignore",
        ...(withParams ? { paramKind: { apiVersion: "v1", kind: "ConfigMap" } } : {}),
        ...(matchConditions.length > 0 ? { matchConditions } : {}),
        ...(variables.length > 0 ? { variables } : {}),
        validations,
        ...(auditAnnotations.length > 0 ? { auditAnnotations } : {}),
      },
      ...(withParams ? { paramRef: paramRef(random) } : {}),
    };
  }

  #write(
    withAuthorizer: boolean,
    body: (generator: ExpressionGenerator) => string,
    variables = this.#variables,
  ) {
    const scope: ExpressionScope = { paths: this.#paths, variables, allowAuthorizer: withAuthorizer };
    const generator = new ExpressionGenerator(this.#random, scope);
    const text = body(generator);
    this.#used.push(...generator.used);
    return mistaken(this.#random, text);
  }

  #text(withAuthorizer: boolean): string {
    return this.#write(withAuthorizer, (generator) => generator.show("string", generator.value("string", 3)));
  }

  #declareVariables(count: number) {
    return Array.from({ length: count }, (_, at) => {
      const type = this.#random.pick(variableTypes);
      const expression = this.#write(this.#random.chance(0.2), (generator) => generator.value(type, 2));
      this.#variables.push({ name: `variables.x${at}`, type });
      return { name: `x${at}`, expression };
    });
  }

  #conditions(count: number) {
    return Array.from({ length: count }, (_, at) => {
      const body = (generator: ExpressionGenerator) =>
        this.#random.chance(0.6) ? likely(this.#random, generator) : generator.condition(2);
      return { name: `m${at}`, expression: this.#write(true, body, []) };
    });
  }

  /** A rule that calls `focus`, if there is one: its message shows what the call gives, or the rule fails by it. */
  #rule(at: number, focus: Signature | undefined) {
    const random = this.#random;
    const isAboutUser = focus?.key.includes("authorizer") === true;
    const isShown = focus !== undefined && !isAboutUser && random.chance(0.45);
    const shown = (generator: ExpressionGenerator) =>
      focus === undefined
        ? generator.show("string", generator.value("string", 3))
        : generator.show(focus.result, generator.call(focus, 2));
    const condition = (generator: ExpressionGenerator) => {
      if (isShown) return random.pick(["object == null && oldObject == null", "false", "1 > 2"]);
      if (focus === undefined) return random.chance(0.6) ? likely(random, generator) : generator.condition(3);
      return `${shown(generator)} ${random.pick(["==", "!=", "!="])} '${random.pick(["<web>", "true", "1"])}'`;
    };
    const expression = this.#write(true, condition);
    const message = random.chance(0.3)
      ? random.pick([`rule ${at} is broken`, "  padded message  ", "ünïcödé 🙂"])
      : undefined;
    const messageExpression = isShown
      ? this.#write(false, shown)
      : random.chance(0.2)
        ? this.#text(false)
        : undefined;
    const reason = random.chance(0.3) ? reasonOf(random) : undefined;
    return {
      expression,
      ...(message === undefined ? {} : { message }),
      ...(messageExpression === undefined ? {} : { messageExpression }),
      ...(reason === undefined ? {} : { reason }),
    };
  }
}

/** Mostly one the server takes. */
function reasonOf(random: Random): string {
  return random.chance(0.02)
    ? "Unauthorized"
    : random.pick(["Forbidden", "Invalid", "RequestEntityTooLarge"]);
}

function paramRef(random: Random): ParamRef {
  return random.pick<ParamRef>([
    { name: "limits", namespace: "default", parameterNotFoundAction: "Deny" },
    { name: "limits-2", namespace: "default", parameterNotFoundAction: "Allow" },
    { selector: { matchLabels: { params: "yes" } }, namespace: "default", parameterNotFoundAction: "Deny" },
    {
      name: "nowhere",
      namespace: "default",
      parameterNotFoundAction: random.pick(["Allow", "Deny"] as const),
    },
  ]);
}

/** A condition that mostly holds, so that a policy is not refused by its first rule alone. */
function likely(random: Random, generator: ExpressionGenerator): string {
  return random.pick([
    () => "true",
    () => `true || ${generator.condition(2)}`,
    () => `${generator.condition(2)} || true`,
    () => "object.metadata.name != ''",
    () => `request.operation in ['CREATE', 'UPDATE', 'DELETE'] || ${generator.value("bool", 1)}`,
  ])();
}

/** Now and then, one mistake that the compiler has to find. */
function mistaken(random: Random, expression: string): string {
  if (!random.chance(0.012)) return expression;
  return random.pick([
    () => `${expression} &&`,
    () => `${expression} == undeclared`,
    () => `nofunction(${expression})`,
    () => `(${expression}).nomember(1)`,
    () => `1 + (${expression} == 'a')`,
    () => `${expression} == request.uid`,
    () => `[1, 'a'] == [${expression}]`,
    () => `duration('1d') == duration('1h') || ${expression}`,
    () => `'a'.matches('(') || ${expression}`,
    () => `${expression} ? 1 : 2`,
    () => `(${expression}`,
    () => `variables.unknown == ${expression}`,
    () => `'a'.charAt('b') == ${expression}`,
    () => `'x' in 5 || ${expression}`,
  ])();
}
