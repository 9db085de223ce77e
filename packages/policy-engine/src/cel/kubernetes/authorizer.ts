import { CelError, CelPending } from "../errors.ts";
import type { FunctionDeclaration, Library } from "../library.ts";
import { BOOL, type CelType, STRING } from "../types.ts";
import type { CelValue } from "../values.ts";
import type {
  AuthorizationAnswer,
  AuthorizationCheck,
  AuthorizationLookup,
  CheckedUser,
  ResourceCheckAttributes,
} from "./authorization-check.ts";
import { methods, shape } from "./declare.ts";
import {
  AUTHORIZER,
  asInstance,
  asText,
  DECISION,
  GROUP_CHECK,
  KubernetesValue,
  noSuchOverload,
  PATH_CHECK,
  RESOURCE_CHECK,
} from "./kubernetes-types.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors } from "./name-formats.ts";
import { parseFieldSelector, parseLabelSelector, type SelectorRequirement } from "./selectors.ts";

/**
 * apiserver's pkg/cel/library/authz.go: questions to the authorizer, put together step by step. An answer that is
 * not known yet ends the evaluation with `CelPending`; whoever evaluates asks for it and evaluates again.
 */

/** The server knows no two equal values of these types: comparing them is an error. */
abstract class AuthorizationValue extends KubernetesValue {
  protected override equalsSameType(): boolean {
    throw noSuchOverload();
  }
}

/** The `authorizer` variable. */
export class AuthorizerValue extends AuthorizationValue {
  readonly type = AUTHORIZER;
  readonly lookup: AuthorizationLookup;
  readonly user: CheckedUser;

  constructor(lookup: AuthorizationLookup, user: CheckedUser = "request") {
    super();
    this.lookup = lookup;
    this.user = user;
  }
}

class PathCheckValue extends AuthorizationValue {
  readonly type = PATH_CHECK;
  readonly authorizer: AuthorizerValue;
  readonly path: string;

  constructor(authorizer: AuthorizerValue, path: string) {
    super();
    this.authorizer = authorizer;
    this.path = path;
  }
}

class GroupCheckValue extends AuthorizationValue {
  readonly type = GROUP_CHECK;
  readonly authorizer: AuthorizerValue;
  readonly group: string;

  constructor(authorizer: AuthorizerValue, group: string) {
    super();
    this.authorizer = authorizer;
    this.group = group;
  }
}

/** What a resource check is about; selectors are still text. */
export interface CheckedResource {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** Also the `authorizer.requestResource` variable: a check about the resource of the request itself. */
export class ResourceCheckValue extends AuthorizationValue {
  readonly type = RESOURCE_CHECK;
  readonly authorizer: AuthorizerValue;
  readonly checked: CheckedResource;

  constructor(authorizer: AuthorizerValue, checked: CheckedResource) {
    super();
    this.authorizer = authorizer;
    this.checked = checked;
  }

  with(change: Partial<CheckedResource>): ResourceCheckValue {
    return new ResourceCheckValue(this.authorizer, { ...this.checked, ...change });
  }
}

class DecisionValue extends AuthorizationValue {
  readonly type = DECISION;
  readonly answer: AuthorizationAnswer;

  constructor(answer: AuthorizationAnswer) {
    super();
    this.answer = answer;
  }
}

function decide({ lookup }: AuthorizerValue, check: AuthorizationCheck): DecisionValue {
  const answer = lookup(check);
  if (answer === undefined) throw new CelPending(check);
  return new DecisionValue(answer);
}

function notBlank(text: string, what: string): string {
  if (text.trim() === "") throw new CelError(`${what} must not be empty`);
  return text;
}

function forServiceAccount(authorizer: CelValue, namespace: CelValue, name: CelValue): AuthorizerValue {
  const { lookup } = asInstance(authorizer, AuthorizerValue);
  const user = { namespace: asText(namespace), name: asText(name) };
  if (dns1123SubdomainErrors(user.name).length > 0) throw new CelError("Invalid service account name");
  if (dns1123LabelErrors(user.namespace).length > 0) throw new CelError("Invalid service account namespace");
  return new AuthorizerValue(lookup, user);
}

function checkPath(check: CelValue, verb: CelValue): DecisionValue {
  const { authorizer, path } = asInstance(check, PathCheckValue);
  return decide(authorizer, { kind: "path", user: authorizer.user, path, verb: asText(verb) });
}

function checkResource(check: CelValue, verb: CelValue): DecisionValue {
  const { authorizer, checked } = asInstance(check, ResourceCheckValue);
  const { fieldSelector, labelSelector, ...about } = checked;
  const attributes: ResourceCheckAttributes = {
    kind: "resource",
    user: authorizer.user,
    verb: asText(verb),
    ...about,
    ...selector("fieldSelector", fieldSelector, parseFieldSelector),
    ...selector("labelSelector", labelSelector, parseLabelSelector),
  };
  return decide(authorizer, attributes);
}

/** A selector that cannot be read, or asks for nothing, is left out. */
function selector(
  name: "fieldSelector" | "labelSelector",
  text: string | undefined,
  parse: (text: string) => SelectorRequirement[] | undefined,
): Partial<ResourceCheckAttributes> {
  const requirements = text === undefined || text === "" ? undefined : parse(text);
  return requirements === undefined || requirements.length === 0 ? {} : { [name]: requirements };
}

/** A method that sets one attribute of a resource check. */
function setter(name: keyof CheckedResource, id: string): FunctionDeclaration {
  return methods(
    name,
    shape(id, [RESOURCE_CHECK, STRING], RESOURCE_CHECK, (check = null, text = null) =>
      asInstance(check, ResourceCheckValue).with({ [name]: asText(text) }),
    ),
  );
}

function decisionMethod(
  name: string,
  result: CelType,
  read: (answer: AuthorizationAnswer) => CelValue,
): FunctionDeclaration {
  return methods(
    name,
    shape(`decision_${name}`, [DECISION], result, (decision = null) =>
      read(asInstance(decision, DecisionValue).answer),
    ),
  );
}

export const authorizerLibrary: Library = {
  name: "kubernetes.authz",
  functions: [
    methods(
      "path",
      shape(
        "authorizer_path",
        [AUTHORIZER, STRING],
        PATH_CHECK,
        (authorizer = null, path = null) =>
          new PathCheckValue(asInstance(authorizer, AuthorizerValue), notBlank(asText(path), "path")),
      ),
    ),
    methods(
      "group",
      shape(
        "authorizer_group",
        [AUTHORIZER, STRING],
        GROUP_CHECK,
        (authorizer = null, group = null) =>
          new GroupCheckValue(asInstance(authorizer, AuthorizerValue), asText(group)),
      ),
    ),
    methods(
      "serviceAccount",
      shape(
        "authorizer_serviceaccount",
        [AUTHORIZER, STRING, STRING],
        AUTHORIZER,
        (authorizer = null, namespace = null, name = null) => forServiceAccount(authorizer, namespace, name),
      ),
    ),
    methods(
      "resource",
      shape("groupcheck_resource", [GROUP_CHECK, STRING], RESOURCE_CHECK, (check = null, name = null) => {
        const { authorizer, group } = asInstance(check, GroupCheckValue);
        const resource = notBlank(asText(name), "resource");
        return new ResourceCheckValue(authorizer, {
          group,
          resource,
          subresource: "",
          namespace: "",
          name: "",
        });
      }),
    ),
    setter("subresource", "resourcecheck_subresource"),
    setter("namespace", "resourcecheck_namespace"),
    setter("name", "resourcecheck_name"),
    methods(
      "check",
      shape("pathcheck_check", [PATH_CHECK, STRING], DECISION, (check = null, verb = null) =>
        checkPath(check, verb),
      ),
      shape("resourcecheck_check", [RESOURCE_CHECK, STRING], DECISION, (check = null, verb = null) =>
        checkResource(check, verb),
      ),
    ),
    decisionMethod("errored", BOOL, ({ error }) => error !== undefined),
    decisionMethod("error", STRING, ({ error }) => error ?? ""),
    decisionMethod("allowed", BOOL, ({ allowed }) => allowed),
    decisionMethod("reason", STRING, ({ reason }) => reason),
  ],
};

export const authorizerSelectorsLibrary: Library = {
  name: "kubernetes.authzSelectors",
  functions: [
    setter("fieldSelector", "authorizer_fieldselector"),
    setter("labelSelector", "authorizer_labelselector"),
  ],
};
