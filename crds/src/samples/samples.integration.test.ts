import { readFile } from "node:fs/promises";
import { startCluster } from "@shieldx/e2e/cluster";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { InvalidObjectError, kinds, parseManifests, parseShieldObject, shieldPolicyKind } from "../index.ts";
import { type ApiServerUnderTest, apiServer } from "../testing/api-server.ts";
import { damagedObjects } from "../testing/damaged-objects.ts";
import { readSamples } from "./read-samples.ts";

const good = await readSamples("good");
const bad = await readSamples("bad");
const generated = new URL("../../generated/", import.meta.url).pathname;

const thirdParty = new URL("../../third-party/openreports.io_reports.yaml", import.meta.url).pathname;

/** kubectl apply in client-side mode keeps the whole object in an annotation of at most this many bytes. */
const LAST_APPLIED_LIMIT = 262_144;

let cluster: Awaited<ReturnType<typeof startCluster>>;
let server: ApiServerUnderTest;

async function kubectl(args: string[], input?: string) {
  return cluster.kubectl(args, input === undefined ? {} : { input });
}

beforeAll(async () => {
  const minor = process.env.K8S;
  cluster = await startCluster({
    name: "crds",
    ...(minor === "1.34" || minor === "1.37" ? { kubernetes: minor } : {}),
  });
  const applied = await kubectl(["apply", "-f", generated]);
  expect(applied.stderr).not.toMatch(/Warning|rror/);
  expect(applied.code).toBe(0);
  await kubectl([
    "wait",
    "--for=condition=Established",
    "crd/shieldpolicies.shieldx.io",
    "crd/namespacedshieldpolicies.shieldx.io",
    "crd/shieldexceptions.shieldx.io",
  ]);
  await kubectl(["create", "namespace", "shop"]);
  server = await apiServer(cluster.kubeconfig);
});

afterAll(async () => {
  server?.close();
  await cluster?.stop();
});

describe("the generated CRDs on a real API server", () => {
  it("are established without a complaint of the structural schema check", async () => {
    const { stdout } = await kubectl([
      "get",
      "crd",
      "-l",
      "app.kubernetes.io/part-of=shieldx",
      "-o",
      'jsonpath={range .items[*]}{.metadata.name}{range .status.conditions[*]} {.type}={.status}{end}{"\\n"}{end}',
    ]);
    expect(stdout).toMatch(/^shieldexceptions\.shieldx\.io .*Established=True/m);
    expect(stdout).toMatch(/^shieldpolicies\.shieldx\.io .*Established=True/m);
    expect(stdout).not.toContain("NonStructuralSchema");
  });

  it("are small enough for client-side apply", async () => {
    for (const file of kinds.map(({ plural }) => plural)) {
      const object: unknown = parseManifests(await readFile(`${generated}${file}.yaml`, "utf8"), file)[0];
      expect(JSON.stringify(object).length).toBeLessThan(LAST_APPLIED_LIMIT);
    }
  });

  it("stand beside the Report kind of OpenReports, which is shipped as published", async () => {
    const { stderr, code } = await kubectl(["apply", "-f", thirdParty]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  it("change nothing when applied again", async () => {
    const { stdout } = await kubectl(["apply", "-f", generated]);
    expect(
      stdout
        .trim()
        .split("\n")
        .every((line) => line.endsWith("unchanged")),
    ).toBe(true);
  });
});

describe("good samples", () => {
  it.each(good)("$name is accepted and means the same offline", async ({ text, path }) => {
    const { stdout, stderr, code } = await kubectl(
      ["create", "--dry-run=server", "-o", "json", "-f", "-"],
      text,
    );
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const { spec } = JSON.parse(stdout) as { spec: unknown };
    expect(parseShieldObject(parseManifests(text, path)[0]).spec).toEqual(spec);
  });
});

describe("bad samples", () => {
  it.each(bad)("$name is refused with its message", async ({ text, server: message }) => {
    expect(message).toBeDefined();
    const { stderr, code } = await kubectl(["apply", "--dry-run=server", "-f", "-"], text);
    expect(stderr).toContain(message);
    expect(code).not.toBe(0);
  });
});

describe("what people see", () => {
  it("explains fields in words", async () => {
    const { stdout } = await kubectl(["explain", "shieldpolicy.spec.podSecurity"]);
    const text = stdout.replace(/\s+/g, " ");
    expect(text).toContain("Level of the Pod Security Standards that Pods must keep");
    expect(text).toContain("enum: privileged, baseline, restricted");
    expect(text).toContain("v1.N pins the checks of that Kubernetes version");
  });

  it("has no field without a description", async () => {
    for (const kind of ["shieldpolicy", "shieldexception"]) {
      const { stdout } = await kubectl(["explain", kind, "--recursive"]);
      const fields = stdout.split("\n").filter((line) => /^\s+\w+\t</.test(line)).length;
      expect(fields).toBeGreaterThan(30);
    }
    const { stdout } = await kubectl(["explain", "shieldpolicy.spec.validations"]);
    expect(stdout).not.toContain("<no description>");
  });

  it("shows the columns a person wants, also by short name and category", async () => {
    const restricted = good.find(({ name }) => name === "restricted-payments");
    const exception = good.find(({ name }) => name === "exception-one-deployment");
    await kubectl(["apply", "-f", "-"], restricted?.text);
    await kubectl(["apply", "-f", "-"], exception?.text);
    const status = {
      enforcedBy: "Webhook",
      loadedBy: "2/3",
      counts: { violating: 4 },
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "InForce",
          message: "",
          lastTransitionTime: "2026-01-01T00:00:00Z",
        },
      ],
    };
    const patched = await kubectl([
      "patch",
      "spol",
      "restricted-payments",
      "--subresource=status",
      "--type=merge",
      "-p",
      JSON.stringify({ status }),
    ]);
    expect(patched.code).toBe(0);
    const policies = (await kubectl(["get", "spol"])).stdout.split("\n");
    expect(policies[0]?.split(/\s{2,}/)).toEqual([
      "NAME",
      "ENGINE",
      "LEVEL",
      "ACTION",
      "ENFORCED BY",
      "LOADED",
      "VIOLATING",
      "READY",
      "ROLLOUT",
      "AGE",
    ]);
    expect(policies[1]).toMatch(
      /^restricted-payments\s+podSecurity\s+restricted\s+deny\s+Webhook\s+2\/3\s+4\s+True\s+\d+s/,
    );
    const exceptions = (await kubectl(["get", "sexc", "-n", "shop"])).stdout;
    expect(exceptions).toMatch(
      /legacy-importer\s+baseline-everywhere\s+team-imports@example.com\s+2026-12-31T00:00:00Z/,
    );
    const all = (await kubectl(["get", "shieldx", "-n", "shop"])).stdout;
    expect(all).toContain("shieldpolicy.shieldx.io/restricted-payments");
    expect(all).toContain("shieldexception.shieldx.io/legacy-importer");
  });

  it("keeps people out of status and bounds what is written there", async () => {
    const tooMany = {
      worstOffenders: Array.from({ length: 11 }, (_, n) => ({
        apiVersion: "v1",
        kind: "Pod",
        name: `p${n}`,
        violations: 1,
      })),
    };
    const { stderr, code } = await kubectl([
      "patch",
      "spol",
      "restricted-payments",
      "--subresource=status",
      "--type=merge",
      "-p",
      JSON.stringify({ status: tooMany }),
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toContain("status.worstOffenders: Too many: 11: must have at most 10 items");
  });
});

describe("offline and in the cluster", () => {
  type Named = { kind: string; metadata: { name: string; namespace?: string }; spec: unknown };
  const objects = good.map(({ text, path }) => {
    const object = parseManifests(text, path)[0] as Named;
    return { ...object, metadata: { ...object.metadata, name: "damaged" } };
  });
  const runs = Number(process.env.SHIELDX_CRD_CASES ?? 1500);

  it(`the parser and the API server agree on ${runs} damaged objects`, { timeout: 600_000 }, async () => {
    const seen = { accepted: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(damagedObjects(objects), async (object) => {
        const { plural, scope } = kinds.find(({ kind }) => kind === object.kind) ?? shieldPolicyKind;
        const where = scope === "Cluster" ? "" : `namespaces/${object.metadata.namespace ?? ""}/`;
        const path = `/apis/shieldx.io/v1alpha1/${where}${plural}`;
        const verdict = await server.dryRunCreate(path, object);
        const offline = parseOrProblems(object);
        if (verdict.code === 201) {
          seen.accepted += 1;
          expect(offline, `the server accepts ${JSON.stringify(object.spec)}`).toEqual({
            spec: verdict.body.spec,
          });
        } else {
          seen.refused += 1;
          expect([400, 422]).toContain(verdict.code);
          expect(offline, `the server says ${verdict.body.message ?? ""}`).toHaveProperty("problems");
        }
      }),
      { numRuns: runs },
    );
    expect(seen.accepted).toBeGreaterThan(runs / 10);
    expect(seen.refused).toBeGreaterThan(runs / 10);
    console.log(`damaged objects: ${seen.accepted} accepted, ${seen.refused} refused, by both alike`);
  });
});

function parseOrProblems(object: unknown): { spec: unknown } | { problems: string[] } {
  try {
    return { spec: parseShieldObject(object).spec };
  } catch (error) {
    if (!(error instanceof InvalidObjectError)) throw error;
    return { problems: error.problems.map(({ path, message }) => `${path}: ${message}`) };
  }
}
