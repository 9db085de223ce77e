/** What a policy consists of: the fields of a ValidatingAdmissionPolicy's spec, and its binding's paramRef. */
export interface CelRulesSpec {
  readonly failurePolicy?: "Fail" | "Ignore" | undefined;
  readonly paramKind?: { readonly apiVersion: string; readonly kind: string } | undefined;
  /** Without it, a policy with a paramKind is evaluated once, with params null. */
  readonly paramRef?: { readonly parameterNotFoundAction?: "Allow" | "Deny" | undefined } | undefined;
  readonly matchConditions?: readonly MatchConditionSpec[] | undefined;
  readonly variables?: readonly VariableSpec[] | undefined;
  readonly validations?: readonly ValidationSpec[] | undefined;
  readonly auditAnnotations?: readonly AuditAnnotationSpec[] | undefined;
  /** Of a MutatingAdmissionPolicy; compiled and evaluated apart from the rest. */
  readonly mutations?: readonly MutationSpec[] | undefined;
}

export interface MutationSpec {
  readonly patchType: "ApplyConfiguration" | "JSONPatch";
  readonly applyConfiguration?: { readonly expression: string } | undefined;
  readonly jsonPatch?: { readonly expression: string } | undefined;
}

export interface MatchConditionSpec {
  readonly name: string;
  readonly expression: string;
}

export interface VariableSpec {
  readonly name: string;
  readonly expression: string;
}

export interface ValidationSpec {
  readonly expression: string;
  readonly message?: string | undefined;
  readonly messageExpression?: string | undefined;
  readonly reason?: string | undefined;
}

export interface AuditAnnotationSpec {
  readonly key: string;
  readonly valueExpression: string;
}
