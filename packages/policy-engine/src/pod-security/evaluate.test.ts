import { describe, expect, it } from "vitest";
import { evaluatePodSecurity } from "./evaluate.ts";
import { newestKnownMinor, type PodSecurityVersion, resolveMinor } from "./levels.ts";

const judge = (
  spec: unknown,
  {
    level = "baseline",
    version = "latest",
    metadata = {},
  }: Partial<Parameters<typeof evaluatePodSecurity>[0]> = {},
) => evaluatePodSecurity({ level, version, metadata, spec });

describe("evaluatePodSecurity", () => {
  it("names the check, upstream's reason, and the containers and fields at fault", () => {
    const verdict = judge({
      hostNetwork: true,
      containers: [
        { name: "a", securityContext: { privileged: true } },
        { name: "b", ports: [{ hostPort: 8080 }, { hostPort: 80 }] },
      ],
      initContainers: [{ name: "i", securityContext: { privileged: true } }],
      ephemeralContainers: [{ name: "e", securityContext: { privileged: true } }],
    });
    expect(verdict).toEqual({
      allowed: false,
      violations: [
        { checkId: "hostNamespaces", reason: "host namespaces", detail: "hostNetwork=true" },
        { checkId: "hostPorts", reason: "hostPort", detail: 'container "b" uses hostPorts 80, 8080' },
        {
          checkId: "privileged",
          reason: "privileged",
          detail: 'containers "i", "a", "e" must not set securityContext.privileged=true',
        },
      ],
    });
  });

  it("allows everything at privileged, even what it cannot read", () => {
    expect(judge("nonsense", { level: "privileged" })).toEqual({ allowed: true, violations: [] });
  });

  it("reads null as absent, as the API server does", () => {
    const spec = {
      hostNetwork: null,
      volumes: null,
      securityContext: null,
      containers: [null, { name: "a", ports: null }],
    };
    expect(judge(spec).allowed).toBe(true);
  });

  it("takes a volume without a source for an emptyDir and one of an unknown kind for a restricted one", () => {
    const containers: unknown[] = [];
    expect(judge({ containers, volumes: [{ name: "v" }] }, { level: "restricted" }).allowed).toBe(true);
    expect(
      judge({ containers, volumes: [{ name: "v", novel: {} }] }, { level: "restricted" }).violations[0]
        ?.detail,
    ).toBe('volume "v" uses restricted volume type "unknown"');
  });

  it.each([
    ["spec.containers must be a list, not an object", { containers: {} }],
    ["spec.containers[0] must be an object, not a string", { containers: ["a"] }],
    ["spec.hostNetwork must be a boolean, not a string", { hostNetwork: "false" }],
    [
      "spec.containers[1].securityContext.runAsUser must be an integer, not a string",
      { containers: [{}, { securityContext: { runAsUser: "0" } }] },
    ],
    [
      "spec.initContainers[0].securityContext.capabilities.add[0] must be a string, not a number",
      { initContainers: [{ securityContext: { capabilities: { add: [1] } } }] },
    ],
    [
      "spec.containers[0].ports[0].hostPort must be an integer, not a number",
      { containers: [{ ports: [{ hostPort: 1.5 }] }] },
    ],
    ["spec must be an object, not a list", []],
  ])("refuses what is not shaped like a Pod: %s", (problem, spec) => {
    expect(judge(spec)).toEqual({
      allowed: false,
      violations: [{ checkId: "malformed", reason: "malformed object", detail: problem }],
    });
  });

  it("refuses metadata and annotations of the wrong type", () => {
    const detail = (metadata: unknown) => judge({ containers: [] }, { metadata }).violations[0]?.detail;
    expect(detail("x")).toBe("metadata must be an object, not a string");
    expect(detail({ annotations: [] })).toBe("metadata.annotations must be an object, not a list");
    expect(detail({ annotations: { k: 1 } })).toBe(
      'metadata.annotations["k"] must be a string, not a number',
    );
  });

  it("lists a bounded number of misshapen fields", () => {
    const containers = Array.from({ length: 100_000 }, () => 1);
    expect(judge({ containers }).violations[0]?.detail.split("; ")).toHaveLength(8);
  });

  it("does not see what is on a prototype", () => {
    const spec = JSON.parse('{"containers": [{"name": "a"}], "__proto__": {"hostNetwork": true}}') as unknown;
    expect(judge(spec).allowed).toBe(true);
    const inherited = Object.create({ hostNetwork: true, hostPID: true }) as unknown;
    expect(judge(inherited).allowed).toBe(true);
  });
});

describe("resolveMinor", () => {
  it("takes latest for the server's minor version, but never for more than is known", () => {
    expect(resolveMinor("latest", 34)).toBe(34);
    expect(resolveMinor("latest", 99)).toBe(newestKnownMinor);
    expect(resolveMinor("latest")).toBe(newestKnownMinor);
    expect(resolveMinor("v1.12", 34)).toBe(12);
    expect(resolveMinor("v1.99", 34)).toBe(newestKnownMinor);
  });

  it.each(["", "v2.0", "1.30", "v1.030", "v1.-1", "v1.1.1", "newest"])("refuses %j", (version) => {
    expect(() => resolveMinor(version as PodSecurityVersion)).toThrow(RangeError);
  });
});
