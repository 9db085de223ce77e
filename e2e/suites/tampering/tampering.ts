// The same checks with few tamperings for CI and with many by hand.
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Random } from "../../../packages/policy-engine/testing/random.ts";
import type { ShieldxProcess } from "../../shieldx/host.ts";
import { apply, enforce, tryCreate } from "../../shieldx/objects.ts";
import { waitFor } from "../../shieldx/wait.ts";
import {
  commit,
  configurations,
  fewReplicas,
  figures,
  nativeTargets,
  restoredAfter,
  startTamperingBed,
  substanceOf,
  type TamperingBed,
  tamperOnce,
} from "./bed.ts";
import { type Tampering, type Target, tamperingsOf } from "./targets.ts";

export interface TamperingCounts {
  readonly seed: number;
  /** Drawn after each kind was tried once. */
  readonly more: number;
  readonly burst: number;
  /** How long two attackers keep at it. */
  readonly fightMs: number;
}

export function describeTampering({ seed, more, burst, fightMs }: TamperingCounts): void {
  describe(`tampering, seed ${seed}`, () => {
    let bed: TamperingBed;
    const natives = Array.from({ length: 10 }, (_, index) => `few-replicas-${index}`);
    const targets: readonly Target[] = [...nativeTargets("few-replicas"), ...configurations];

    beforeAll(async () => {
      bed = await startTamperingBed(`tampering-${seed}`);
      for (const name of natives) await apply(bed.cluster, fewReplicas(name));
      await Promise.all(natives.map((name) => enforce(bed.cluster, fewReplicas(name))));
    });
    afterAll(async () => {
      await bed?.stop();
    });
    const leader = (): ShieldxProcess => bed.shieldx.operators.at(-1) as ShieldxProcess;
    const baseline = async (of: readonly Target[]): Promise<Map<Target, string>> =>
      new Map(
        await Promise.all(of.map(async (target) => [target, await substanceOf(bed.client, target)] as const)),
      );

    it("calls nothing tampering that it rendered itself, nor what the chart installed", async () => {
      expect(await bed.restorations(leader())).toBe(0);
      expect(await bed.events()).toEqual([]);
    });

    it("puts back whatever was changed or deleted, counts it and tells it", async () => {
      const before = await baseline(targets);
      const random = new Random(seed);
      const all = targets.flatMap(tamperingsOf);
      const drawn = shuffled(all, random).concat(Array.from({ length: more }, () => random.pick(all)));
      const took = new Map<string, number[]>();
      let counted = 0;
      for (const tampering of drawn) {
        const { target, name } = tampering;
        const ms = await tamperOnce(bed.client, tampering, before.get(target) ?? "");
        const key = target.type.kind;
        took.set(key, [...(took.get(key) ?? []), ms]);
        counted = await waitFor(`a higher count after "${name}" of ${target.name}`, async () => {
          const now = await bed.restorations(leader());
          return now > counted ? now : undefined;
        });
      }
      for (const [kind, ms] of took) console.log(`${kind}: ${figures(ms)}`);
      const every = [...took.values()].flat();
      console.log(`${drawn.length} tamperings of ${all.length} kinds: ${figures(every)}; counted ${counted}`);
      expect(every.filter((ms) => ms > 1_000)).toEqual([]);
      // Each target was told of by name; repetitions are the count of an Event, sent less and less often.
      const notes = (await bed.events()).map(({ note }) => note);
      for (const { type, name } of targets) {
        expect(notes.some((note) => note.startsWith(`${type.kind} "${name}" was `))).toBe(true);
      }
    });

    it("puts back a burst at once", async () => {
      const many: Target[] = [...configurations, ...natives.flatMap(nativeTargets)];
      const before = await baseline(many);
      const random = new Random(seed + 1);
      const counted = await bed.restorations(leader());
      const drawn = Array.from({ length: burst }, () => random.pick(tamperingsOf(random.pick(many))));
      const began = performance.now();
      const answered = new Map<Target, number>();
      await Promise.all(
        drawn.map(async (tampering) => {
          const at = await commit(bed.client, tampering);
          answered.set(tampering.target, Math.max(at, answered.get(tampering.target) ?? 0));
        }),
      );
      const took = await restoredAfter(bed.client, answered, before);
      console.log(
        `burst of ${burst} on ${answered.size} objects: ${figures(took)}; all within ${Math.round(performance.now() - began)} ms`,
      );
      expect(await bed.restorations(leader())).toBeGreaterThan(counted);
    });

    it("is neither held up nor made to flood Events by attackers that do not stop", async () => {
      const [policy, binding] = nativeTargets("few-replicas");
      const [fail, ignore] = configurations;
      if (!policy || !binding || !fail || !ignore) throw new Error("targets are missing");
      const before = await baseline([policy, binding, fail, ignore]);
      const stop = new AbortController();
      let attacks = 0;
      const attack = async (tampering: Tampering): Promise<void> => {
        while (!stop.signal.aborted) {
          await tampering.commit(bed.client).then(
            () => attacks++,
            // What it would edit is being put back.
            () => delay(1),
          );
        }
      };
      const eventsBefore = (await bed.events()).length;
      const attackers = [
        attack(tamperingNamed(fail, "failurePolicy flipped")),
        attack(tamperingNamed(fail, "deleted")),
        attack(tamperingNamed(policy, "expression always true")),
        attack(tamperingNamed(binding, "deleted")),
      ];
      const until = performance.now() + fightMs;
      const took: number[] = [];
      const inForce: number[] = [];
      try {
        while (performance.now() < until) {
          for (const tampering of tamperingsOf(ignore).slice(0, 6)) {
            took.push(await tamperOnce(bed.client, tampering, before.get(ignore) ?? ""));
          }
          const began = performance.now();
          await enforce(bed.cluster, fewReplicas(`beside-${inForce.length}`));
          inForce.push(performance.now() - began);
        }
      } finally {
        stop.abort();
        await Promise.all(attackers);
      }
      const ended = performance.now();
      for (const target of [policy, binding, fail]) {
        await waitFor(`${target.name} as before`, async () => {
          return (await substanceOf(bed.client, target)) === before.get(target);
        });
      }
      const restored = performance.now() - ended;
      const events = (await bed.events()).length - eventsBefore;
      console.log(
        `${attacks} attacks in ${fightMs} ms; meanwhile shieldx-policies-ignore: ${figures(took)}; new policies in force ` +
          `after ms ${inForce.map(Math.round).join(", ")}; everything back ${Math.round(restored)} ms after the last attack; ` +
          `${events} new Events`,
      );
      expect(attacks).toBeGreaterThan(20);
      // One object's name may be told of 25 times at once, then once in five minutes.
      expect(events).toBeLessThanOrEqual(4 * 25);
    });

    it("is put back and told by whoever leads next", async () => {
      const { shieldx, client, cluster } = bed;
      const former = leader();
      await shieldx.startOperator();
      const successor = leader();
      const [policy, binding] = nativeTargets("few-replicas");
      const [fail, ignore, kinds] = configurations;
      if (!policy || !binding || !fail || !ignore || !kinds) throw new Error("targets are missing");
      const before = await baseline([policy, binding, fail, ignore, kinds]);
      await former.kill();
      await tamperingNamed(policy, "expression always true").commit(client);
      await tamperingNamed(binding, "deleted").commit(client);
      await tamperingNamed(fail, "matchCondition added").commit(client);
      await tamperingNamed(ignore, "deleted").commit(client);
      await tamperingNamed(kinds, "deleted").commit(client);
      const began = performance.now();
      for (const target of [policy, binding, fail, ignore, kinds]) {
        await waitFor(
          `${target.name} as before`,
          async () => (await substanceOf(client, target)) === before.get(target),
          { timeoutMs: 60_000 },
        );
      }
      console.log(
        `restored by the successor ${Math.round(performance.now() - began)} ms after a kill -9 of the leader`,
      );
      await waitFor("all five counted", async () => (await bed.restorations(successor)) >= 5);
      await waitFor("refused again", async () => !(await tryCreate(cluster, tooManyReplicas)).allowed);
    });

    it("is put back and told even if nobody was there to see it", async () => {
      const { shieldx, client } = bed;
      const [policy, binding] = nativeTargets("few-replicas");
      const [fail, ignore] = configurations;
      if (!policy || !binding || !fail || !ignore) throw new Error("targets are missing");
      const before = await baseline([policy, binding, fail, ignore]);
      await leader().stop();
      await tamperingNamed(policy, "deleted").commit(client);
      await tamperingNamed(binding, "deny becomes audit").commit(client);
      await tamperingNamed(fail, "rules emptied").commit(client);
      await tamperingNamed(ignore, "deleted").commit(client);
      await shieldx.startOperator();
      for (const target of [policy, binding, fail, ignore]) {
        await waitFor(
          `${target.name} as before`,
          async () => (await substanceOf(client, target)) === before.get(target),
          { timeoutMs: 60_000 },
        );
      }
      await waitFor("all four counted", async () => (await bed.restorations(leader())) >= 4);
    });

    it("tells each restoration by an Event, repetitions as its count, once the counts are sent", async () => {
      const [kinds] = configurations.slice(2);
      if (kinds === undefined) throw new Error("no target");
      const before = await bed.told();
      const counted = await bed.restorations(leader());
      const substance = await substanceOf(bed.client, kinds);
      for (const tampering of tamperingsOf(kinds).slice(0, 8))
        await tamperOnce(bed.client, tampering, substance);
      await waitFor("counted", async () => (await bed.restorations(leader())) >= counted + 8);
      const total = (await bed.restorations(leader())) - counted;
      // A process that ends sends the counts it still holds.
      await leader().stop();
      await waitFor("told as often as counted", async () => (await bed.told()) - before >= total);
    });
  });
}

const tooManyReplicas = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "too-many", namespace: "kube-public" },
  spec: {
    replicas: 9,
    selector: { matchLabels: { app: "too-many" } },
    template: {
      metadata: { labels: { app: "too-many" } },
      spec: { containers: [{ name: "main", image: "none.invalid/none" }] },
    },
  },
};

function tamperingNamed(target: Target, name: string): Tampering {
  const found = tamperingsOf(target).find((tampering) => tampering.name === name);
  if (found === undefined) throw new Error(`no tampering "${name}" of ${target.name}`);
  return found;
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  return items
    .map((item) => ({ item, at: random.fraction() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
