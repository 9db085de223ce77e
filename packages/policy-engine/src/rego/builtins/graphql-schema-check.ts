/**
 * Whether a GraphQL schema is one, by gqlparser's rules (its validator/schema.go), which are the specification's
 * (October 2021, section 3) with more freedom: there may be no query type, and built-in directives may be declared
 * again. Types are checked in the order of their names, and the first fault is told.
 */
import {
  type ConstDirectiveNode,
  type DirectiveDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  type Location,
  print,
  type TypeNode,
  type ValueNode,
} from "graphql";
import { checkInputCycles } from "./graphql-input-cycles.ts";
import type { DirectiveDefinition } from "./graphql-syntax.ts";
import {
  type Declarations,
  type DeclaredType,
  GraphqlSchemaError,
  type Member,
  namedTypeOf,
} from "./graphql-types.ts";

const fail = (message: string, at: Location | undefined): GraphqlSchemaError =>
  new GraphqlSchemaError(message, at);

const inputKinds = new Set(["SCALAR", "ENUM", "INPUT_OBJECT"]);
const outputKinds = new Set(["SCALAR", "OBJECT", "INTERFACE", "UNION", "ENUM"]);
const quoted = (name: string): string => JSON.stringify(name);
const byName = <T>(entries: ReadonlyMap<string, T>): T[] =>
  [...entries].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);

interface Named {
  readonly name: { readonly value: string; readonly loc?: Location };
}

/** Names that begin with two underscores are introspection's. */
function checkName({ name }: Named): void {
  if (name.value.startsWith("__"))
    throw fail(
      `Name "${name.value}" must not begin with "__", which is reserved by GraphQL introspection.`,
      name.loc,
    );
}

function firstRepeated<T extends Named>(nodes: readonly T[]): T | undefined {
  const seen = new Set<string>();
  for (const node of nodes) {
    if (seen.has(node.name.value)) return node;
    seen.add(node.name.value);
  }
  return undefined;
}

function checkLiteral(value: ValueNode | undefined): void {
  if (value?.kind === Kind.LIST) for (const item of value.values) checkLiteral(item);
  if (value?.kind !== Kind.OBJECT) return;
  const repeated = firstRepeated(value.fields);
  if (repeated) throw fail(`There can be only one input field named "${repeated.name.value}".`, repeated.loc);
  for (const field of value.fields) checkLiteral(field.value);
}

const argumentsOf = (field: Member): readonly InputValueDefinitionNode[] =>
  field.kind === Kind.FIELD_DEFINITION ? (field.arguments ?? []) : [];
const defaultOf = (field: Member): ValueNode | undefined =>
  field.kind === Kind.INPUT_VALUE_DEFINITION ? field.defaultValue : undefined;
const isRequired = (argument: InputValueDefinitionNode): boolean =>
  argument.type.kind === Kind.NON_NULL_TYPE && argument.defaultValue === undefined;

/** Whether an argument's type allows all that another's does (gqlparser's Type.IsCompatible). */
function isCompatible(required: TypeNode, found: TypeNode): boolean {
  if (found.kind === Kind.NON_NULL_TYPE)
    return required.kind === Kind.NON_NULL_TYPE && isCompatible(required.type, found.type);
  if (required.kind === Kind.NON_NULL_TYPE) return isCompatible(required.type, found);
  if (required.kind === Kind.LIST_TYPE)
    return found.kind === Kind.LIST_TYPE && isCompatible(required.type, found.type);
  return found.kind === Kind.NAMED_TYPE && required.name.value === found.name.value;
}

/** What a type must have at least one of, and the word for it; a scalar has enough in its name. */
function contentsOf(type: DeclaredType): readonly [parts: readonly unknown[], what: string] {
  switch (type.kind) {
    case "SCALAR":
      return [[type], "names"];
    case "UNION":
      return [type.members, "member types"];
    case "ENUM":
      return [type.values, "unique enum values"];
    case "INPUT_OBJECT":
      return [type.fields, "input fields"];
    case "OBJECT":
    case "INTERFACE":
      return [type.fields, "fields"];
  }
}

class SchemaCheck {
  readonly #declared: Declarations;
  /** Names of the types each interface or union stands for. */
  readonly #possible = new Map<string, Set<string>>();

  constructor(declared: Declarations) {
    this.#declared = declared;
    for (const type of declared.types.values()) {
      for (const { name } of type.interfaces) this.#addPossible(name.value, type.name.value);
      for (const { name } of type.members) this.#addPossible(type.name.value, name.value);
    }
  }

  #addPossible(abstract: string, name: string): void {
    const names = this.#possible.get(abstract) ?? new Set();
    this.#possible.set(abstract, names.add(name));
  }

  run(): void {
    for (const { directives } of this.#declared.schemas) this.#checkDirectives(directives, "SCHEMA");
    const inOrder = byName(this.#declared.types);
    for (const type of inOrder) if (!type.builtIn) this.#checkType(type);
    checkInputCycles(
      inOrder.filter(({ kind }) => kind === "INPUT_OBJECT"),
      this.#declared.types,
    );
    for (const directive of byName(this.#declared.directives)) this.#checkDirectiveDefinition(directive);
  }

  #checkType(type: DeclaredType): void {
    const name = type.name.value;
    for (const field of type.fields) this.#checkField(type, field);
    for (const { name: member } of type.members) {
      const found = this.#declared.types.get(member.value);
      if (!found) throw fail(`Undefined type ${quoted(member.value)}.`, type.name.loc);
      if (found.kind !== "OBJECT")
        throw fail(`${type.kind} type ${quoted(member.value)} must be OBJECT.`, type.name.loc);
    }
    this.#checkInterfaces(type);
    this.#checkContents(type);
    const field = firstRepeated(type.fields);
    if (field) throw fail(`Field ${name}.${field.name.value} can only be defined once.`, field.name.loc);
    const value = firstRepeated(type.values);
    if (value) throw fail(`Enum value ${name}.${value.name.value} can only be defined once.`, value.name.loc);
    const member = firstRepeated(type.members);
    if (member) throw fail(`Union type ${name} can only include type ${member.name.value} once.`, member.loc);
    checkName(type);
    // Repetition is no fault here: a type and its extensions are several places.
    this.#checkDirectives(type.directives, type.kind, true);
  }

  #checkField(type: DeclaredType, field: Member): void {
    checkName(field);
    this.#typeOf(field);
    checkLiteral(defaultOf(field));
    const repeated = firstRepeated(argumentsOf(field));
    if (repeated)
      throw fail(
        `Argument ${type.name.value}.${field.name.value}(${repeated.name.value}:) can only be defined once.`,
        repeated.name.loc,
      );
    this.#checkArguments(argumentsOf(field));
    this.#checkDirectives(
      field.directives,
      type.kind === "INPUT_OBJECT" ? "INPUT_FIELD_DEFINITION" : "FIELD_DEFINITION",
    );
  }

  #typeOf(node: Member): DeclaredType {
    const name = namedTypeOf(node.type);
    const type = this.#declared.types.get(name);
    if (!type) throw fail(`Undefined type ${name}.`, node.type.loc);
    return type;
  }

  #checkContents(type: DeclaredType): void {
    const [parts, what] = contentsOf(type);
    if (parts.length === 0)
      throw fail(`${type.kind} ${type.name.value}: must define one or more ${what}.`, type.name.loc);
    for (const field of type.fields) this.#checkKindOfField(type, field);
    for (const value of type.values) {
      checkName(value);
      if (["true", "false", "null"].includes(value.name.value))
        throw fail(`ENUM ${type.name.value}: non-enum value ${value.name.value}.`, value.name.loc);
      this.#checkDirectives(value.directives, "ENUM_VALUE");
    }
  }

  #checkKindOfField(type: DeclaredType, field: Member): void {
    const { kind } = this.#typeOf(field);
    const isInput = type.kind === "INPUT_OBJECT";
    const allowed = isInput ? inputKinds : outputKinds;
    if (allowed.has(kind)) return;
    const subject = isInput ? `${kind} ${field.name.value}` : `${type.kind} ${type.name.value}`;
    throw fail(`${subject}: field must be one of ${[...allowed].join(", ")}.`, field.name.loc);
  }

  #checkArguments(nodes: readonly InputValueDefinitionNode[], directive?: DirectiveDefinitionNode): void {
    for (const node of nodes) {
      checkName(node);
      const { kind } = this.#typeOf(node);
      checkLiteral(node.defaultValue);
      if (!inputKinds.has(kind))
        throw fail(
          `cannot use ${print(node.type)} as argument ${node.name.value} because ${kind} is not a valid input type`,
          node.name.loc,
        );
      this.#checkDirectives(node.directives, "ARGUMENT_DEFINITION", false, directive);
    }
  }

  #checkDirectiveDefinition(node: DirectiveDefinition): void {
    checkName(node);
    const repeated = firstRepeated(node.arguments ?? []);
    if (repeated)
      throw fail(
        `Argument @${node.name.value}(${repeated.name.value}:) can only be defined once.`,
        repeated.name.loc,
      );
    this.#checkDirectives(node.directives, "DIRECTIVE_DEFINITION", false, node);
    this.#checkArguments(node.arguments ?? [], node);
  }

  #checkDirectives(
    nodes: readonly ConstDirectiveNode[] | undefined,
    place: string,
    mayRepeat = false,
    within?: DirectiveDefinitionNode,
  ): void {
    const seen = new Set<string>();
    for (const node of nodes ?? []) {
      const { value: name, loc } = node.name;
      checkName(node);
      if (within?.name.value === name) throw fail(`Directive ${name} cannot refer to itself.`, loc);
      const definition = this.#declared.directives.get(name);
      if (!definition) throw fail(`Undefined directive ${name}.`, loc);
      if (!mayRepeat && !definition.repeatable && seen.has(name))
        throw fail(`The directive ${name} can only be used once at this location.`, loc);
      seen.add(name);
      if (!definition.locations.some(({ value }) => value === place))
        throw fail(`Directive ${name} is not applicable on ${place}.`, loc);
      this.#checkDirectiveArguments(node, definition);
    }
  }

  #checkDirectiveArguments(node: ConstDirectiveNode, definition: DirectiveDefinitionNode): void {
    const given = new Map<string, ValueNode>();
    const known = new Map((definition.arguments ?? []).map((argument) => [argument.name.value, argument]));
    for (const { name, value, loc } of node.arguments ?? []) {
      if (!known.has(name.value))
        throw fail(`Undefined argument ${name.value} for directive ${node.name.value}.`, loc);
      if (given.has(name.value)) throw fail(`There can be only one argument named ${name.value}.`, loc);
      given.set(name.value, value);
    }
    for (const [name, argument] of known)
      if (isRequired(argument) && (given.get(name)?.kind ?? Kind.NULL) === Kind.NULL)
        throw fail(`Argument ${name} for directive ${node.name.value} cannot be null.`, node.name.loc);
    for (const value of given.values()) checkLiteral(value);
  }

  #checkInterfaces(type: DeclaredType): void {
    const name = type.name.value;
    const own = new Set(type.interfaces.map((node) => node.name.value));
    const repeated = firstRepeated(type.interfaces);
    const fields = new Map(type.fields.map((field) => [field.name.value, field]));
    for (const node of type.interfaces) {
      const required = node.name.value;
      if (node === repeated) throw fail(`Type ${name} can only implement ${required} once.`, type.name.loc);
      const found = this.#declared.types.get(required);
      if (!found) throw fail(`Undefined type ${quoted(required)}.`, type.name.loc);
      if (found.kind !== "INTERFACE")
        throw fail(`${quoted(required)} is a non interface type ${found.kind}.`, type.name.loc);
      if (found === type)
        throw fail(
          `Type ${name} cannot implement itself because it would create a circular reference.`,
          type.name.loc,
        );
      for (const field of found.fields) this.#checkImplementation(type, found, field, fields);
      for (const { name: further } of found.interfaces) {
        if (own.has(further.value)) continue;
        throw fail(
          further.value === name
            ? `Type ${name} cannot implement ${required} because it would create a circular reference.`
            : `Type ${name} must implement ${further.value} because it is implemented by ${required}.`,
          type.name.loc,
        );
      }
    }
  }

  #checkImplementation(
    type: DeclaredType,
    parent: DeclaredType,
    required: Member,
    fields: ReadonlyMap<string, Member>,
  ): void {
    const start = `For ${type.name.value} to implement ${parent.name.value}`;
    const name = required.name.value;
    const found = fields.get(name);
    if (!found) throw fail(`${start} it must have a field called ${name}.`, type.name.loc);
    if (!this.#isCovariant(required.type, found.type))
      throw fail(`${start} the field ${name} must have type ${print(required.type)}.`, found.name.loc);
    const given = new Map(argumentsOf(found).map((argument) => [argument.name.value, argument]));
    const wanted = new Set<string>();
    for (const argument of argumentsOf(required)) {
      wanted.add(argument.name.value);
      const same = given.get(argument.name.value);
      const subject = `${start} the field ${name} must have the same arguments but`;
      if (!same) throw fail(`${subject} it is missing ${argument.name.value}.`, found.name.loc);
      if (!isCompatible(argument.type, same.type))
        throw fail(`${subject} ${argument.name.value} has the wrong type.`, same.name.loc);
    }
    for (const argument of given.values())
      if (!wanted.has(argument.name.value) && isRequired(argument))
        throw fail(
          `${start} any additional arguments on ${name} must be optional or have a default value but ` +
            `${argument.name.value} is required.`,
          argument.name.loc,
        );
  }

  #isCovariant(required: TypeNode, actual: TypeNode): boolean {
    if (required.kind === Kind.NON_NULL_TYPE)
      return actual.kind === Kind.NON_NULL_TYPE && this.#isCovariant(required.type, actual.type);
    if (actual.kind === Kind.NON_NULL_TYPE) return this.#isCovariant(required, actual.type);
    if (required.kind === Kind.LIST_TYPE)
      return actual.kind === Kind.LIST_TYPE && this.#isCovariant(required.type, actual.type);
    if (actual.kind !== Kind.NAMED_TYPE) return false;
    const wanted = required.name.value;
    const given = actual.name.value;
    return wanted === given || this.#possible.get(wanted)?.has(given) === true;
  }
}

/** @throws GraphqlSchemaError */
export function checkDeclarations(declared: Declarations): void {
  new SchemaCheck(declared).run();
}
