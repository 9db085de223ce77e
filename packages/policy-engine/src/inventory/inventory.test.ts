import fc from "fast-check";
import { expect, it } from "vitest";
import { Inventory } from "./inventory.ts";

const object = (apiVersion: string, kind: string, name: string, namespace?: string, more: object = {}) => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...more },
});

it("has Gatekeeper's shape", () => {
  const inventory = new Inventory();
  const pod = object("v1", "Pod", "web", "team-a");
  const role = object("rbac.authorization.k8s.io/v1", "ClusterRole", "system:node");
  for (const each of [pod, role]) inventory.put(each);
  expect(inventory.size).toBe(2);
  const { cluster, namespace } = inventory.data;
  expect(cluster["rbac.authorization.k8s.io/v1"]?.ClusterRole?.["system:node"]).toBe(role);
  expect(namespace["team-a"]?.v1?.Pod?.web).toBe(pod);
});

it("drops managedFields and passes over what is no object", () => {
  const inventory = new Inventory();
  inventory.put(object("v1", "Pod", "web", "a", { managedFields: [{}], labels: { x: "y" } }));
  expect(inventory.data.namespace.a?.v1?.Pod?.web).toEqual(
    object("v1", "Pod", "web", "a", { labels: { x: "y" } }),
  );
  for (const none of [undefined, 1, {}, { metadata: {} }, { apiVersion: 1, metadata: { name: "x" } }]) {
    inventory.put(none);
    inventory.delete(none);
  }
  expect(inventory.size).toBe(1);
});

it("takes any name for a key", () => {
  const inventory = new Inventory();
  for (const name of ["__proto__", "constructor", "toString"]) {
    const role = object("x.io/v1", name, name);
    inventory.put(role);
    expect(Object.hasOwn(inventory.data.cluster["x.io/v1"]?.[name] as object, name)).toBe(true);
    inventory.delete(role);
  }
  expect(({} as Record<string, unknown>).name).toBeUndefined();
  expect(Object.keys(inventory.data.cluster)).toEqual([]);
});

it("holds what a plain map of the same changes holds, and no empty levels", () => {
  const names = fc.constantFrom("a", "b", "__proto__");
  const change = fc.record({
    isDeletion: fc.boolean(),
    namespace: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
    version: fc.constantFrom("v1", "apps/v1"),
    kind: names,
    name: names,
    value: fc.nat(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
      const inventory = new Inventory();
      const expected = new Map<string, number>();
      for (const { isDeletion, namespace, version, kind, name, value } of changes) {
        const key = JSON.stringify([namespace ?? "", version, kind, name]);
        const made = object(version, kind, name, namespace, { generation: value });
        if (isDeletion) {
          inventory.delete(made);
          expected.delete(key);
        } else {
          inventory.put(made);
          expected.set(key, value);
        }
      }
      const found = new Map<string, number>();
      const gather = (namespace: string, kinds: object): void => {
        const versions = Object.entries(kinds) as [string, object][];
        for (const [version, ofVersion] of versions) {
          expect(Object.keys(ofVersion)).not.toEqual([]);
          for (const [kind, named] of Object.entries(ofVersion) as [string, object][]) {
            expect(Object.keys(named)).not.toEqual([]);
            for (const [name, { metadata }] of Object.entries(named))
              found.set(JSON.stringify([namespace, version, kind, name]), metadata.generation);
          }
        }
      };
      gather("", inventory.data.cluster);
      for (const [namespace, kinds] of Object.entries(inventory.data.namespace)) gather(namespace, kinds);
      expect(new Map([...found].sort())).toEqual(new Map([...expected].sort()));
      expect(inventory.size).toBe(expected.size);
    }),
  );
});
