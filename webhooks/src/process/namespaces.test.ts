import {
  ApiError,
  type Client,
  type KubeObject,
  type Namespace,
  silentLogger,
  TransportError,
} from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { Namespaces } from "./namespaces.ts";
import { fakeInformer, request } from "./process.test-kit.ts";

describe("namespaces", () => {
  function setUp(answer: () => Promise<KubeObject>) {
    const cache = fakeInformer<Namespace>();
    let asked = 0;
    const client = {
      get: () => {
        asked++;
        return answer();
      },
    } as unknown as Client;
    return { cache, namespaces: new Namespaces(cache.informer, client, silentLogger), asked: () => asked };
  }
  const namespace = (name: string): Namespace => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { name } },
  });

  it("come from the cache, or once from the server for all who ask together", async () => {
    const bed = setUp(async () => namespace("new"));
    bed.cache.set(namespace("old"));
    expect(await bed.namespaces.find("old", 100)).toEqual(namespace("old"));
    expect(bed.asked()).toBe(0);
    expect(await Promise.all([bed.namespaces.find("new", 100), bed.namespaces.find("new", 100)])).toEqual([
      namespace("new"),
      namespace("new"),
    ]);
    expect(bed.asked()).toBe(1);
  });

  it("are unknown for what does not exist, cannot exist, or cannot be read", async () => {
    const missing = setUp(() => Promise.reject(new ApiError(request, 404, {})));
    expect(await missing.namespaces.find("gone", 100)).toBeUndefined();
    expect(await missing.namespaces.find("NO NAMESPACE", 100)).toBeUndefined();
    expect(missing.asked()).toBe(1);
    const unreachable = setUp(() => Promise.reject(new TransportError("Timeout", request, "late")));
    expect(await unreachable.namespaces.find("gone", 100)).toBeUndefined();
  });
});
