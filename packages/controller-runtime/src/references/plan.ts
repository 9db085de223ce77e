/** Which watches a set of references takes. */

/** `metav1.LabelSelector`. */
export interface LabelSelectorLike {
  readonly matchLabels?: Readonly<Record<string, string>> | undefined;
  readonly matchExpressions?:
    | readonly {
        readonly key: string;
        readonly operator: string;
        readonly values?: readonly string[] | undefined;
      }[]
    | undefined;
}

/** Objects of one kind: all, or those of a namespace, a name, a set of labels. */
export interface KindReference {
  /** `v1`, `apps/v1` */
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly selector?: LabelSelectorLike | undefined;
}

/** What one watch covers; undefined: all. */
export interface WatchScope {
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** As in `labelSelector` of a request. */
  readonly labels: string | undefined;
}

/** Each watch takes a connection: beyond so many of one namespace, one watch of all its objects of the kind does. */
const MOST_NARROW_WATCHES = 8;

/** The watches that cover these references, all to one kind. */
export function planWatches(references: readonly KindReference[]): WatchScope[] {
  const byNamespace = new Map<string | undefined, Map<string, WatchScope>>();
  for (const reference of references) {
    const scope = scopeOf(reference);
    const scopes = byNamespace.get(scope.namespace) ?? new Map<string, WatchScope>();
    byNamespace.set(scope.namespace, scopes.set(scopeKey(scope), scope));
  }
  return [...byNamespace].flatMap(([namespace, scopes]) => {
    const whole = { namespace, name: undefined, labels: undefined };
    const isWhole = scopes.has(scopeKey(whole)) || scopes.size > MOST_NARROW_WATCHES;
    return isWhole ? [whole] : [...scopes.values()];
  });
}

export function scopeOf({ namespace, name, selector }: KindReference): WatchScope {
  const labels = selector === undefined ? "" : labelSelectorText(selector);
  return { namespace, name, labels: labels === "" ? undefined : labels };
}

export function scopeKey({ namespace, name, labels }: WatchScope): string {
  return JSON.stringify([namespace ?? "", name ?? "", labels ?? ""]);
}

/** Whether every object of `inner` is among those of `outer`. */
export function covers(outer: WatchScope, inner: WatchScope): boolean {
  return (["namespace", "name", "labels"] as const).every(
    (part) => outer[part] === undefined || outer[part] === inner[part],
  );
}

/** As the API server parses it (apimachinery pkg/labels/selector.go), in one fixed order. */
export function labelSelectorText({ matchLabels = {}, matchExpressions = [] }: LabelSelectorLike): string {
  const equal = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
  const others = matchExpressions.map(({ key, operator, values = [] }) => {
    const list = `(${[...values].sort().join(",")})`;
    switch (operator) {
      case "In":
        return `${key} in ${list}`;
      case "NotIn":
        return `${key} notin ${list}`;
      case "DoesNotExist":
        return `!${key}`;
      default:
        return key;
    }
  });
  return [...equal, ...others].sort().join(",");
}
