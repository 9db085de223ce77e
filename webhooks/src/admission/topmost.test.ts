import { ApiError, type Client, ManualClock, silentLogger } from "@shieldx/controller-runtime";
import { describe, expect, it } from "vitest";
import { TopmostControllers } from "./topmost.ts";

const replicaSet = (name: string, uid = `uid-${name}`) => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  namespace: "default",
  name,
  uid,
});

function setUp() {
  const asked: string[] = [];
  const clock = new ManualClock();
  const get: Client["get"] = async (type, { name }) => {
    asked.push(`${type.kind} ${name}`);
    if (name === "gone") throw new ApiError({ verb: "get", resource: "x" }, 404, {});
    if (name === "forbidden") throw new ApiError({ verb: "get", resource: "x" }, 403, {});
    const kind = type.kind === "Job" ? "CronJob" : "Deployment";
    const ownerReferences =
      name === "alone" ? [] : [{ apiVersion: "apps/v1", kind, name: "web", uid: "top", controller: true }];
    return { apiVersion: "", kind: "", metadata: { name, uid: `uid-${name}`, ownerReferences } } as never;
  };
  const owners = new TopmostControllers({ client: { get } as Client, clock, logger: silentLogger });
  return { asked, clock, owners };
}

describe("TopmostControllers", () => {
  it("goes from a ReplicaSet to its Deployment and from a Job to its CronJob, asking once", async () => {
    const { owners, asked } = setUp();
    const both = await Promise.all([owners.of(replicaSet("web-1")), owners.of(replicaSet("web-1"))]);
    expect(both).toEqual([both[0], both[0]]);
    expect(both[0]).toEqual({
      apiVersion: "apps/v1",
      kind: "Deployment",
      name: "web",
      uid: "top",
      namespace: "default",
    });
    const job = { ...replicaSet("job-1"), apiVersion: "batch/v1", kind: "Job" };
    expect(await owners.of(job)).toMatchObject({ kind: "CronJob" });
    expect(asked).toEqual(["ReplicaSet web-1", "Job job-1"]);
  });

  it("has nothing to say of others, of what is alone, gone, forbidden or another of that name", async () => {
    const { owners, asked } = setUp();
    expect(await owners.of({ ...replicaSet("x"), kind: "Rollout" })).toBeUndefined();
    expect(await owners.of({ ...replicaSet("x"), apiVersion: "example.org/v1" })).toBeUndefined();
    expect(asked).toEqual([]);
    for (const name of ["alone", "gone", "forbidden"]) {
      expect(await owners.of(replicaSet(name))).toBeUndefined();
    }
    expect(await owners.of(replicaSet("web-1", "forged"))).toBeUndefined();
  });

  it("asks the API server only so often, and again later", async () => {
    const { owners, asked, clock } = setUp();
    for (let index = 0; index < 200; index++) await owners.of(replicaSet(`web-${index}`));
    expect(asked).toHaveLength(50);
    await clock.advance(1_000);
    await owners.of(replicaSet("later"));
    expect(asked.at(-1)).toBe("ReplicaSet later");
  });
});
