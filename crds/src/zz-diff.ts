import fc from "fast-check";
import { InvalidObjectError, parseManifests, parseShieldObject } from "./index.ts";
import { apiServer } from "./testing/api-server.ts";
import { damagedObjects } from "./testing/damaged-objects.ts";
import { readSamples } from "./samples/read-samples.ts";
import { isDeepStrictEqual } from "node:util";
const good = await readSamples("good");
const server = await apiServer("/tmp/crds-cp/kc");
const objects = good.map(({ text, path }) => parseManifests(text, path)[0] as any);
const seen = new Map<string, number>();
let acc = 0, ref = 0;
for (const object of fc.sample(damagedObjects(objects), { numRuns: Number(process.argv[2]), seed: Number(process.argv[3] ?? 1) })) {
  const path = object.kind === "ShieldPolicy" ? "/apis/shieldx.io/v1alpha1/shieldpolicies" : `/apis/shieldx.io/v1alpha1/namespaces/shop/shieldexceptions`;
  const v = await server.dryRunCreate(path, object);
  let o: any; let problems: any;
  try { o = parseShieldObject(object).spec; } catch (e) { if (!(e instanceof InvalidObjectError)) { console.log("CRASH", e, JSON.stringify(object.spec)); continue; } problems = e.problems; }
  let key = "";
  if (v.code === 201) { acc++; if (problems) key = "server accepts; offline: " + JSON.stringify(problems[0]); else if (!isDeepStrictEqual(o, v.body.spec)) key = "differs: "+JSON.stringify(o).slice(0,1500)+"\n        "+JSON.stringify(v.body.spec).slice(0,1500); }
  else { ref++; if (![400,422].includes(v.code)) key = "code " + v.code + v.body.message; else if (!problems) key = "server refuses: " + v.body.message; }
  if (key) { const k = key.slice(0, 90); seen.set(k, (seen.get(k) ?? 0) + 1); if (seen.get(k) === 1) console.log(key.slice(0, 600), "\n      ", JSON.stringify(object.spec).slice(0, 300)); }
}
console.log(acc, ref, [...seen.values()].reduce((a, b) => a + b, 0));
server.close();
