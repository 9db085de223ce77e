import { X509Certificate } from "node:crypto";
import { createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { type AddressInputs, freePort, planAddresses, privateAddress } from "./addresses.ts";
import { Authority, apiServerNames, urlHost } from "./certificates.ts";
import { type ApiServerPlan, apiServerArgs, controllerManagerArgs, etcdArgs } from "./flags.ts";
import { kubeconfigText } from "./kubeconfig.ts";

describe("the addresses of API servers", () => {
  let nextPort = 20_000;
  const inputs: AddressInputs = {
    count: 2,
    prepared: [],
    canAddLoopbackAddress: false,
    published: [],
    taken: new Set(),
    random: () => 7,
    freePort: () => Promise.resolve(nextPort++),
  };

  it("are those of the node network when there is one", async () => {
    const plan = await planAddresses({
      ...inputs,
      prepared: ["198.18.1.1", "198.18.1.2"],
      canAddLoopbackAddress: true,
    });
    expect(plan).toEqual({
      servers: [
        { address: "198.18.1.1", port: 6443 },
        { address: "198.18.1.2", port: 6443 },
      ],
      publication: "lease",
      loopbackAddresses: [],
    });
  });

  it("are put on the loopback interface with root, distinct and not taken", async () => {
    // Three draws an address: 198.18.1.2 is taken; 198.18.2.3 comes up twice.
    const numbers = [0, 1, 1, 0, 2, 2, 0, 2, 2, 1, 0, 0];
    const plan = await planAddresses({
      ...inputs,
      canAddLoopbackAddress: true,
      published: ["192.0.2.2"],
      taken: new Set(["198.18.1.2"]),
      random: () => numbers.shift() ?? 0,
    });
    expect(plan.loopbackAddresses).toEqual(["198.18.2.3", "198.19.0.1"]);
    expect(plan.servers).toEqual(plan.loopbackAddresses.map((address) => ({ address, port: 6443 })));
    expect(plan.publication).toBe("lease");
  });

  it("are the machine's own without root, on one port where there are enough", async () => {
    const plan = await planAddresses({ ...inputs, published: ["192.0.2.2", "172.17.0.1"] });
    expect(plan.publication).toBe("lease");
    expect(plan.servers[0]?.port).toBe(plan.servers[1]?.port);
  });

  it("differ by port where the machine has only one", async () => {
    const plan = await planAddresses({ ...inputs, published: ["192.0.2.2"] });
    expect(plan.publication).toBe("written");
    expect(plan.servers[0]?.address).toBe(plan.servers[1]?.address);
    expect(plan.servers[0]?.port).not.toBe(plan.servers[1]?.port);
  });

  it("are not published on a machine that has none but loopback", async () => {
    const plan = await planAddresses({ ...inputs, count: 1 });
    expect(plan).toMatchObject({ publication: "absent", servers: [{ address: "127.0.0.1" }] });
  });
});

describe("a free port", () => {
  it("is one nobody listens on, and is handed out once", async () => {
    const address = privateAddress();
    const ports = await Promise.all(Array.from({ length: 50 }, () => freePort([address])));
    expect(new Set(ports).size).toBe(50);
    for (const port of ports) {
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(30_000);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const server = createServer().listen(ports[0], address, resolve);
    await promise;
    server.close();
  });
});

describe("certificates", () => {
  it("verify against their own authority only", async () => {
    const [ours, theirs] = await Promise.all([Authority.create("ours"), Authority.create("theirs")]);
    const leaf = new X509Certificate((await ours.issue({ commonName: "leaf" }, "client")).certificate);
    expect(leaf.verify(new X509Certificate(ours.certificatePem).publicKey)).toBe(true);
    expect(leaf.verify(new X509Certificate(theirs.certificatePem).publicKey)).toBe(false);
    expect(new X509Certificate(ours.certificatePem).ca).toBe(true);
    expect(leaf.ca).toBe(false);
  });

  it("carry every group as an organization of its own", async () => {
    const authority = await Authority.create("ca");
    const identity = { commonName: "jane", organizations: ["system:masters", "dev"] };
    const { certificate } = await authority.issue(identity, "client");
    expect(new X509Certificate(certificate).subject.split("\n").sort()).toEqual([
      "CN=jane",
      "O=dev",
      "O=system:masters",
    ]);
  });

  it("of an API server name it in every way it is reached", async () => {
    const authority = await Authority.create("ca");
    const names = apiServerNames("cluster.local", "10.96.0.1", ["198.18.1.2", "fd00::2"]);
    const { certificate } = await authority.issue({ commonName: "kube-apiserver", ...names }, "server");
    const leaf = new X509Certificate(certificate);
    for (const name of ["kubernetes.default.svc", "localhost"]) expect(leaf.checkHost(name)).toBe(name);
    for (const address of ["198.18.1.2", "10.96.0.1", "127.0.0.1", "fd00::2"]) {
      expect(leaf.checkIP(address)).toBe(address);
    }
    expect(leaf.checkHost("kubernetes.example.com")).toBeUndefined();
  });
});

describe("the flags", () => {
  const etcd = { dataDir: "/d", address: "127.1.2.3", clientPort: 1, peerPort: 2, pki: "/pki" };
  const plan: ApiServerPlan = {
    etcd,
    pki: "/pki",
    address: "198.18.1.2",
    port: 6443,
    endpointReconciler: "lease",
    hasNodes: false,
    featureGates: {},
    runtimeConfig: {},
    extraArgs: [],
  };

  it("make etcd talk TLS with client certificates, to itself", () => {
    const args = etcdArgs(etcd);
    expect(args).toContain("--initial-cluster=etcd=https://127.1.2.3:2");
    expect(args).toContain("--client-cert-auth=true");
    expect(args.filter((arg) => arg.includes("http:"))).toEqual([]);
  });

  it("switch on only what was asked for", () => {
    const plain = apiServerArgs(plan).join(" ");
    for (const flag of ["--audit-", "--feature-gates", "--runtime-config", "--enable-aggregator-routing"]) {
      expect(plain).not.toContain(flag);
    }
    const full = apiServerArgs({
      ...plan,
      hasNodes: true,
      audit: { policyFile: "/p", logFile: "/l" },
      featureGates: { A: true, B: false },
      runtimeConfig: { "admissionregistration.k8s.io/v1beta1": true },
      extraArgs: ["--max-requests-inflight=5"],
    });
    expect(full).toEqual(
      expect.arrayContaining([
        "--enable-aggregator-routing=true",
        "--audit-log-path=/l",
        "--feature-gates=A=true,B=false",
        "--runtime-config=admissionregistration.k8s.io/v1beta1=true",
      ]),
    );
    expect(full.at(-1)).toBe("--max-requests-inflight=5");
  });

  it("have the controller manager hand out Pod ranges only where there are nodes", () => {
    const controller = { pki: "/pki", kubeconfig: "/k", address: "127.0.0.1", port: 1, featureGates: {} };
    expect(controllerManagerArgs(controller).join(" ")).not.toContain("cluster-cidr");
    expect(controllerManagerArgs({ ...controller, podCidr: "10.1.0.0/16" })).toContain(
      "--cluster-cidr=10.1.0.0/16",
    );
  });

  it("write an IPv6 address into a URL in brackets", () => {
    expect(urlHost("fd00::2")).toBe("[fd00::2]");
    expect(urlHost("192.0.2.2")).toBe("192.0.2.2");
  });
});

describe("a kubeconfig", () => {
  it("holds everything it needs", () => {
    const base = { cluster: "c", server: "https://198.18.1.2:6443", caPem: "CA", userName: "u" };
    const withToken = JSON.parse(
      kubeconfigText({ ...base, user: { kind: "token", token: "t" }, namespace: "n" }),
    );
    expect(withToken).toMatchObject({
      clusters: [{ name: "c", cluster: { server: base.server, "certificate-authority-data": "Q0E=" } }],
      users: [{ name: "u", user: { token: "t" } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u", namespace: "n" } }],
      "current-context": "c",
    });
    const pair = { certificate: "C", key: "K" };
    const withCertificate = JSON.parse(kubeconfigText({ ...base, user: { kind: "certificate", pair } }));
    expect(withCertificate.users[0].user).toEqual({
      "client-certificate-data": "Qw==",
      "client-key-data": "Sw==",
    });
  });
});
