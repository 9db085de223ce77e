import { nameOf } from "../policy-set/exceptions.ts";
import { type ParamLookup, type ParamReference, paramFinder } from "../policy-set/params.ts";
import { type DefinedResources, namespaceOf, resourceOf } from "./resource-of.ts";

interface KindInFiles {
  readonly isNamespaced: boolean;
  readonly byNamespace: Map<string, Map<string, unknown>>;
}

/** Objects in files as parameters of policies. Of two of one name the last counts, as when they are applied in turn. */
export class ParametersInFiles {
  readonly #kinds = new Map<string, KindInFiles>();

  constructor(objects: readonly unknown[], defined: DefinedResources, defaultNamespace: string) {
    for (const object of objects) {
      const known = resourceOf(object, defined);
      if (known === undefined) continue;
      const { group, version, kind, isNamespaced } = known;
      const key = keyOf(group === "" ? version : `${group}/${version}`, kind);
      const found = this.#kinds.get(key) ?? { isNamespaced, byNamespace: new Map() };
      this.#kinds.set(key, found);
      const namespace = isNamespaced ? namespaceOf(object, known, defaultNamespace) : "";
      const named = found.byNamespace.get(namespace) ?? new Map<string, unknown>();
      found.byNamespace.set(namespace, named.set(nameOf(object), object));
    }
  }

  readonly lookUp: ParamLookup = ({ apiVersion, kind }) => {
    const found = this.#kinds.get(keyOf(apiVersion, kind));
    if (found === undefined)
      return { state: "unknown", problem: `no ${kind} of ${apiVersion} is among the files` };
    const { isNamespaced, byNamespace } = found;
    return {
      state: "known",
      isNamespaced,
      get: (namespace, name) => byNamespace.get(namespace)?.get(name),
      list: (namespace) => [...(byNamespace.get(namespace)?.values() ?? [])],
    };
  };

  /** Whether the files hold any object that the reference chooses, in whatever namespace. */
  has(reference: ParamReference): boolean {
    const find = paramFinder(reference);
    const { byNamespace } = this.#kinds.get(keyOf(reference.apiVersion, reference.kind)) ?? {};
    return [...(byNamespace?.keys() ?? [])].some((namespace) => {
      const params = find(this.lookUp, namespace);
      return "objects" in params && params.objects.length > 0;
    });
  }
}

function keyOf(apiVersion: string, kind: string): string {
  return `${apiVersion} ${kind}`;
}
