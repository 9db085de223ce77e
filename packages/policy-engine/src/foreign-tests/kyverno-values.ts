/** What a Kyverno test says of requests and of the cluster: Values, UserInfo and ClusterResource files. */
import { at, isPlain, type Plain, textAt } from "../foreign/plain.ts";
import type { AdmissionRequestLike } from "../policy-set/request.ts";
import type { Labels } from "../policy-set/selector.ts";
import type { ReadObjects } from "./environment.ts";
import type { KyvernoTest } from "./kyverno-test.ts";

export class KyvernoValues {
  readonly #values: readonly Plain[];
  readonly userInfo: AdmissionRequestLike["userInfo"];
  /** Objects of the cluster that policies may look at, namespaces among them. */
  readonly clusterObjects: readonly unknown[];

  constructor({ values, userInfo, clusterResources }: KyvernoTest, read: ReadObjects) {
    const objectsIn = (file: string | undefined): readonly unknown[] => {
      const found = file === undefined ? [] : read(file);
      return typeof found === "string" ? [] : found;
    };
    this.#values = (typeof values === "object" ? [values] : objectsIn(values)).filter(isPlain);
    const [info] = objectsIn(userInfo);
    const described = at(info, "userInfo");
    this.userInfo = isPlain(described) ? described : {};
    this.clusterObjects = [
      ...this.#values.flatMap((each) => listAt(each, "namespaces").map(asNamespace)),
      ...clusterResources
        .flatMap(objectsIn)
        .flatMap((object) => [
          ...listAt(object, "spec", "resources"),
          ...listAt(object, "spec", "crds").flatMap((file) =>
            typeof file === "string" ? objectsIn(file) : [],
          ),
        ]),
    ];
  }

  get namespaces(): ReadonlyMap<string, Labels> {
    const found = this.#values.flatMap((values) => listAt(values, "namespaceSelector"));
    return new Map(
      found.flatMap((entry): [string, Labels][] => {
        const name = textAt(entry, "name");
        const labels = at(entry, "labels");
        return name === undefined || !isPlain(labels) ? [] : [[name, labels as Labels]];
      }),
    );
  }

  /** What is done with the resources, where the values say it. */
  get operation(): string | undefined {
    const found = this.#values.map((values) => at(values, "globalValues", "request.operation"));
    return found.find((operation) => typeof operation === "string");
  }

  /** Subresources by kind: `Scale` of deployments. */
  subresource(kind: string): { readonly resource: string; readonly subresource: string } | undefined {
    for (const entry of this.#values.flatMap((values) => listAt(values, "subresources"))) {
      const name = textAt(entry, "subresource", "name");
      const [resource, subresource] = name?.split("/") ?? [];
      if (
        textAt(entry, "subresource", "kind") === kind &&
        resource !== undefined &&
        subresource !== undefined
      )
        return { resource, subresource };
    }
    return undefined;
  }
}

function listAt(object: unknown, ...path: readonly string[]): readonly unknown[] {
  const list = at(object, ...path);
  return Array.isArray(list) ? list : [];
}

/** They are written without what they are. */
function asNamespace(object: unknown): unknown {
  return isPlain(object) ? { ...object, apiVersion: "v1", kind: "Namespace" } : object;
}
