import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renewalTime } from "./renewal.ts";
import { SimulatedCluster } from "./trust-bundle-simulation.test-kit.ts";

const servers = ["10.0.0.1:6443", "10.0.0.2:6443", "10.0.0.3:6443"];
const replicas = ["a", "b", "c"];
const configurations = ["shieldx-policies-fail", "shieldx-policies-ignore", "shieldx-kinds"];
const runs = Number(process.env.SHIELDX_PROPERTY_RUNS ?? 300);

type Event = (cluster: SimulatedCluster) => void;
const server = fc.constantFrom(...servers);
const replica = fc.constantFrom(...replicas);
const configuration = fc.constantFrom(...configurations);

const named = (name: string, event: Event): Event => Object.assign(event, { toString: () => name });

const ordinary: fc.Arbitrary<Event>[] = [
  fc.constant(named("operator", (c) => c.operatorStep())),
  fc.tuple(server, configuration).map(([s, n]) => named(`sync ${s} ${n}`, (c) => c.syncServer(s, n))),
  replica.map((r) => named(`step ${r}`, (c) => c.stepReplica(r))),
  fc
    .tuple(server, configuration, replica)
    .map(([s, n, r]) => named(`probe ${s} ${n} via ${r}`, (c) => c.probe(s, n, r))),
];

const disturbances: fc.Arbitrary<Event>[] = [
  fc.constant(named("crash", (c) => c.crashOperator())),
  server.map((s) => named(`add ${s}`, (c) => (c.servers.has(s) ? undefined : c.addServer(s)))),
  server.map((s) => named(`remove ${s}`, (c) => c.removeServer(s))),
  replica.map((r) => named(`restart ${r}`, (c) => c.addReplica(r))),
  replica.map((r) => named(`remove ${r}`, (c) => c.removeReplica(r))),
  configuration.map((n) => named(`configure ${n}`, (c) => c.addConfiguration(n))),
  fc.nat(9).map((n) =>
    named(`rotate ca:${n}`, (c) => {
      c.rotate = `ca:${n}`;
    }),
  ),
  fc.nat(9).map((n) =>
    named(`rotate leaf:${n}`, (c) => {
      c.rotate = `leaf:${n}`;
    }),
  ),
];

/** Time goes on to where something is due, never to where it has expired. */
const becomesDue = fc.constant(
  named("due", (c) => {
    const state = c.stored;
    if (state !== undefined) c.now = Math.max(c.now, renewalTime(state.serving) + 1);
  }),
);
const jump = fc
  .constantFrom(
    1_000,
    3_600_000,
    -3_600_000,
    8 * 86_400_000,
    31 * 86_400_000,
    800 * 86_400_000,
    -40 * 86_400_000,
  )
  .map((ms) =>
    named(`jump ${ms}`, (c) => {
      c.now += ms;
    }),
  );

const history = (rare: fc.Arbitrary<Event>[]) =>
  fc.array(
    fc.oneof({ weight: 8, arbitrary: fc.oneof(...ordinary) }, { weight: 1, arbitrary: fc.oneof(...rare) }),
    {
      minLength: 50,
      maxLength: 600,
      size: "max",
    },
  );

function live(events: readonly Event[]): SimulatedCluster {
  const cluster = new SimulatedCluster(servers.slice(0, 2), replicas.slice(0, 2), configurations.slice(0, 2));
  for (const event of events) {
    event(cluster);
    cluster.check();
  }
  return cluster;
}

function recover(cluster: SimulatedCluster): void {
  if (cluster.replicas.size === 0) cluster.addReplica("a");
  if (cluster.servers.size === 0) cluster.addServer(servers[0]!);
  cluster.settle();
  cluster.settle();
}

describe("trust bundle in a simulated cluster", () => {
  it("never lets an API server meet a leaf it does not trust, and always converges", () => {
    let rotations = 0;
    fc.assert(
      fc.property(history([...disturbances, becomesDue]), (events) => {
        const cluster = live(events);
        expect(cluster.amnesty).toBe(false);
        recover(cluster);
        expect(cluster.isConverged()).toBe(true);
        rotations += cluster.rotations;
      }),
      { numRuns: runs },
    );
    // The histories must really rotate, or the property says nothing.
    expect(rotations).toBeGreaterThan(runs / 2);
  });

  it("replaces everything unasked only after expiry, and converges whatever the clocks do", () => {
    fc.assert(
      fc.property(history([...disturbances, jump, jump]), (events) => {
        const cluster = live(events);
        recover(cluster);
        expect(cluster.isConverged()).toBe(true);
      }),
      { numRuns: runs },
    );
  });

  it("detects an unsafe implementation: a withdrawn authority shows up as a failed meeting", () => {
    const cluster = live([]);
    for (const name of cluster.published.keys()) cluster.published.set(name, "");
    cluster.syncServer(servers[0]!, configurations[0]!);
    expect(() => cluster.check()).toThrow(/refuses/);
  });
});
