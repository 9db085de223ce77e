import { describe, expect, it } from "vitest";
import type { KubeObject } from "../kubernetes/objects.ts";
import { Deployment, Namespace, ReplicaSet } from "../kubernetes/resources.ts";
import { controllerReference, enqueueOwner } from "./owner.ts";
import { allOf, annotationsChanged, anyOf, generationChanged, labelsChanged } from "./predicate.ts";

function object(metadata: Partial<KubeObject["metadata"]> = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "x", namespace: "shop", uid: "u", ...metadata },
  };
}

describe("enqueueOwner", () => {
  const owner = { kind: "Deployment", name: "web", uid: "1", controller: true };

  it("maps to the controller of that group and kind, in any version, in the object's namespace", () => {
    const owned = object({ ownerReferences: [{ ...owner, apiVersion: "apps/v1beta9" }] });
    expect(enqueueOwner(Deployment)(owned)).toEqual([{ namespace: "shop", name: "web" }]);
    expect(enqueueOwner(ReplicaSet)(owned)).toEqual([]);
    const foreign = object({ ownerReferences: [{ ...owner, apiVersion: "example.com/v1" }] });
    expect(enqueueOwner(Deployment)(foreign)).toEqual([]);
  });

  it("leaves owners that are not the controller out, unless asked for", () => {
    const owned = object({ ownerReferences: [{ ...owner, apiVersion: "apps/v1", controller: false }] });
    expect(enqueueOwner(Deployment)(owned)).toEqual([]);
    expect(enqueueOwner(Deployment, { anyOwner: true })(owned)).toHaveLength(1);
  });

  it("maps to a cluster-scoped owner without a namespace", () => {
    const reference = controllerReference(Namespace, object({ name: "team", uid: "7" }));
    expect(enqueueOwner(Namespace)(object({ ownerReferences: [reference] }))).toEqual([{ name: "team" }]);
    const { uid: _uid, ...withoutUid } = object().metadata;
    expect(() => controllerReference(Namespace, { ...object(), metadata: withoutUid })).toThrow(/no uid/);
  });
});

describe("predicates", () => {
  const updated = (old: KubeObject, now: KubeObject) => ({ kind: "updated" as const, old, object: now });

  it("generationChanged drops status updates and lets a deletion's beginning through", () => {
    expect(generationChanged(updated(object({ generation: 1 }), object({ generation: 1 })))).toBe(false);
    expect(generationChanged(updated(object({ generation: 1 }), object({ generation: 2 })))).toBe(true);
    expect(generationChanged(updated(object(), object({ deletionTimestamp: "2026-01-01T00:00:00Z" })))).toBe(
      true,
    );
    expect(generationChanged({ kind: "deleted", object: object() })).toBe(true);
  });

  it("labelsChanged and annotationsChanged compare by content", () => {
    expect(labelsChanged(updated(object({ labels: { a: "1" } }), object({ labels: { a: "1" } })))).toBe(
      false,
    );
    expect(labelsChanged(updated(object(), object({ labels: { a: "1" } })))).toBe(true);
    expect(
      annotationsChanged(updated(object({ annotations: { a: "1" } }), object({ annotations: { b: "1" } }))),
    ).toBe(true);
  });

  it("anyOf and allOf combine", () => {
    const change = updated(object({ generation: 1 }), object({ generation: 1, labels: { a: "1" } }));
    expect(anyOf(generationChanged, labelsChanged)(change)).toBe(true);
    expect(allOf(generationChanged, labelsChanged)(change)).toBe(false);
  });
});
