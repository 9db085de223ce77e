/** The values expressions see (apiserver pkg/admission/plugin/cel/activation.go and condition.go). */
import { CelDeadlineError, CelError, CelPending, CelWorkError } from "../errors.ts";
import { type Activation, Thrown } from "../frame.ts";
import type { AuthorizationLookup } from "../kubernetes/authorization-check.ts";
import { AuthorizerValue, type CheckedResource, ResourceCheckValue } from "../kubernetes/authorizer.ts";
import { CelRecord, type CelValue, isJsonObject, type JsonObject } from "../values.ts";
import { VARIABLES_TYPE } from "./declarations.ts";
import type { CompiledExpression, Evaluation } from "./expression.ts";
import type { CelQuestion, CelRequest } from "./question.ts";

/**
 * `request`: the fields of the admission request but for the objects in it, which have variables of their own. Fields
 * that Kubernetes' JSON leaves out when empty are left out.
 */
export function requestValue(request: CelRequest): JsonObject {
  const { userInfo = {} } = request;
  const { extra } = userInfo;
  return {
    uid: "",
    kind: { ...request.kind },
    resource: { ...request.resource },
    ...unlessEmpty("subResource", request.subResource),
    requestKind: { ...(request.requestKind ?? request.kind) },
    requestResource: { ...(request.requestResource ?? request.resource) },
    ...unlessEmpty("requestSubResource", request.requestSubResource ?? request.subResource),
    ...unlessEmpty("name", request.name),
    ...unlessEmpty("namespace", request.namespace),
    operation: request.operation,
    userInfo: {
      ...unlessEmpty("username", userInfo.username),
      ...unlessEmpty("uid", userInfo.uid),
      ...((userInfo.groups?.length ?? 0) > 0 ? { groups: userInfo.groups as readonly string[] } : {}),
      ...(extra !== undefined && Object.keys(extra).length > 0 ? { extra } : {}),
    },
    object: null,
    oldObject: null,
    dryRun: request.dryRun ?? false,
    options: (request.options ?? null) as CelValue,
  };
}

function unlessEmpty(name: string, value: string | undefined): Record<string, string> {
  return value === undefined || value === "" ? {} : { [name]: value };
}

const namespaceMetadataFields = [
  "name",
  "generateName",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "finalizers",
];

/** `namespaceObject`: spec, status and the metadata an expression may see, without kind and apiVersion. */
export function namespaceValue(namespace: unknown): CelValue {
  const whole = (namespace ?? null) as CelValue;
  if (!isJsonObject(whole)) return null;
  const own = (object: JsonObject, key: string): CelValue | undefined =>
    Object.hasOwn(object, key) ? object[key] : undefined;
  const metadata = own(whole, "metadata") ?? {};
  const seen: Record<string, CelValue> = {};
  for (const field of namespaceMetadataFields) {
    const value = isJsonObject(metadata) ? own(metadata, field) : undefined;
    if (value !== undefined) seen[field] = value;
  }
  return { metadata: seen, spec: own(whole, "spec") ?? {}, status: own(whole, "status") ?? {} };
}

const known = new WeakMap<CelQuestion, QuestionValues>();

/** The values of a question: the same for every policy that is asked it, with the same authorizer to ask. */
export function valuesOf(question: CelQuestion, authorize: AuthorizationLookup | undefined): QuestionValues {
  const found = known.get(question);
  if (found?.isAnsweredBy(authorize) === true) return found;
  const values = new QuestionValues(question, authorize);
  known.set(question, values);
  return values;
}

/** The values of one question, each made when first asked for: the same for all parameters and all expressions. */
export class QuestionValues {
  /** What expressions that are the same in every policy have come to. */
  readonly shared = new Map<CompiledExpression, Evaluation>();
  readonly object: CelValue;
  readonly oldObject: CelValue;
  readonly #question: CelQuestion;
  readonly #authorize: AuthorizationLookup | undefined;
  #request: JsonObject | undefined;
  #namespace: CelValue | undefined;
  #authorizer: AuthorizerValue | undefined;

  constructor(question: CelQuestion, authorize: AuthorizationLookup | undefined) {
    this.object = (question.object ?? null) as CelValue;
    this.oldObject = (question.oldObject ?? null) as CelValue;
    this.#question = question;
    this.#authorize = authorize;
  }

  isAnsweredBy(authorize: AuthorizationLookup | undefined): boolean {
    return this.#authorize === authorize;
  }

  get request(): JsonObject {
    this.#request ??= requestValue(this.#question.request);
    return this.#request;
  }

  get namespaceObject(): CelValue {
    if (this.#namespace === undefined) this.#namespace = namespaceValue(this.#question.namespaceObject);
    return this.#namespace;
  }

  /** undefined when there is nobody to ask. */
  get authorizer(): AuthorizerValue | undefined {
    if (this.#authorize === undefined) return undefined;
    this.#authorizer ??= new AuthorizerValue(this.#authorize);
    return this.#authorizer;
  }

  /** A check about what the request is for. */
  get requestResource(): ResourceCheckValue | undefined {
    const { authorizer } = this;
    const { request } = this.#question;
    const { resource, requestResource = resource, subResource = "", namespace = "", name = "" } = request;
    const { requestSubResource: subresource = subResource } = request;
    const checked = { ...requestResource, subresource, namespace, name };
    return authorizer && new ResourceCheckValue(authorizer, requestedResource(checked));
  }
}

/** Without the version, which authorization does not look at. */
function requestedResource({
  group,
  resource,
  subresource,
  namespace,
  name,
}: CheckedResource): CheckedResource {
  return { group, resource, subresource, namespace, name };
}

/** Which variables a group of expressions has. */
export interface ActivationScope {
  /** undefined: the policy has no paramKind. */
  readonly params: CelValue | undefined;
  /** matchConditions see null in its place. */
  readonly hasNamespace: boolean;
  readonly hasAuthorizer: boolean;
}

/** What one group of expressions sees; without variables of the policy's own. */
export class RuleActivation implements Activation {
  readonly #values: QuestionValues;
  readonly #scope: ActivationScope;

  constructor(values: QuestionValues, scope: ActivationScope) {
    this.#values = values;
    this.#scope = scope;
  }

  protected get variables(): CelValue | undefined {
    return undefined;
  }

  find(name: string): CelValue | undefined {
    switch (name) {
      case "object":
        return this.#values.object;
      case "oldObject":
        return this.#values.oldObject;
      case "request":
        return this.#values.request;
      case "namespaceObject":
        return this.#scope.hasNamespace ? this.#values.namespaceObject : null;
      case "params":
        return this.#scope.params;
      case "variables":
        return this.variables;
      case "authorizer":
        return this.#scope.hasAuthorizer ? this.#values.authorizer : undefined;
      case "authorizer.requestResource":
        return this.#scope.hasAuthorizer ? this.#values.requestResource : undefined;
      default:
        return undefined;
    }
  }
}

function endsReader(cause: unknown): boolean {
  return cause instanceof CelPending || cause instanceof CelDeadlineError || cause instanceof CelWorkError;
}

/**
 * The value of `variables`: each field is computed when first read, and then kept, its error too. That an answer is
 * pending, that time is over or that the work is too much ends the reader as well and is not kept; a spent budget is an
 * error like others, as it is on the server (policy/composition.go). `compute` gives the value of the variable of this name, or throws; undefined: none.
 */
export class LazyVariables extends CelRecord {
  readonly typeName = VARIABLES_TYPE.name;
  readonly #compute: (name: string) => CelValue | undefined;
  #known: Map<string, CelValue> | undefined;
  /** The first that was read, which for most policies is the only one: it needs no map. */
  #first: string | undefined;
  #firstValue: CelValue | undefined;

  constructor(compute: (name: string) => CelValue | undefined) {
    super();
    this.#compute = compute;
  }

  field(name: string): CelValue | undefined {
    const known = name === this.#first ? this.#firstValue : this.#known?.get(name);
    if (known !== undefined) {
      if (known instanceof Thrown) throw known.error;
      return known;
    }
    try {
      const value = this.#compute(name);
      if (value !== undefined) this.#keep(name, value);
      return value;
    } catch (cause) {
      if (endsReader(cause)) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      const failed = new CelError(`composited variable "${name}" fails to evaluate: ${reason}`);
      this.#keep(name, new Thrown(failed));
      throw failed;
    }
  }

  /** To be computed anew, as another policy's. */
  forget(): void {
    this.#first = undefined;
    this.#firstValue = undefined;
    this.#known = undefined;
  }

  #keep(name: string, value: CelValue): void {
    if (this.#first === undefined) {
      this.#first = name;
      this.#firstValue = value;
      return;
    }
    this.#known ??= new Map();
    this.#known.set(name, value);
  }
}
