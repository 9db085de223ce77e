// A cluster in miniature for the property tests: API servers with lagging caches, replicas with lagging Secrets and
// Leases, one operator that may be cut off between any two writes. Certificates are names; nothing is signed.
import type { Issued } from "./advance.ts";
import { acceptIssued } from "./advance.ts";
import type { KeyPair } from "./certificate.ts";
import { joinBundle, splitBundle } from "./certificate.ts";
import type {
  Desired,
  IssueRequest,
  Observations,
  TrustBundleOptions,
  TrustBundleState,
} from "./trust-bundle.ts";
import { trustBundleStep } from "./trust-bundle.ts";

const dayMs = 86_400_000;

export const simulatedOptions: TrustBundleOptions = {
  commonName: "simulated",
  dnsNames: ["shieldx-webhooks.shieldx-system.svc"],
  ipAddresses: [],
  caLifetimeMs: 730 * dayMs,
  leafLifetimeMs: 30 * dayMs,
};

interface Replica {
  /** What it read from the Secret and serves; undefined until it has read. */
  loaded?: { serving: string; candidate?: string };
  lease?: { servingLeaf: string; candidateLeaf?: string };
  /** Reads the Secret → writes its Lease → reads the Secret again → ready. */
  stage: "starting" | "read" | "leased" | "ready";
}

export class SimulatedCluster {
  now = Date.UTC(2027, 0, 1);
  rotate: string | undefined;
  stored: TrustBundleState | undefined;
  readonly published = new Map<string, string>();
  tls: { serving: string; candidate?: string } | undefined;
  readonly servers = new Map<string, Map<string, string>>();
  readonly replicas = new Map<string, Replica>();
  /** Operator memory, lost in a crash. */
  probes: Record<string, Record<string, string>> = {};
  pending: (() => void)[] = [];
  observed: Observations | undefined;
  /** Set while the world may be without trust because everything had expired. */
  amnesty = false;
  rotations = 0;
  waitingFor: readonly string[] = [];
  readonly signerOf = new Map<string, string>();
  private counter = 0;

  constructor(servers: readonly string[], replicas: readonly string[], configurations: readonly string[]) {
    for (const name of configurations) this.published.set(name, "");
    this.settle();
    for (const name of servers) this.addServer(name);
    for (const name of replicas) this.addReplica(name);
    this.settle();
  }

  // ---- the operator, one small step a call --------------------------------------------------------------------

  /** Observes, or decides and stores, or carries out one write: whichever comes next. */
  operatorStep(): void {
    const write = this.pending.shift();
    if (write !== undefined) {
      write();
      return;
    }
    if (this.observed === undefined) {
      this.observed = this.observe();
      return;
    }
    const observed = this.observed;
    this.observed = undefined;
    this.decide(observed);
  }

  crashOperator(): void {
    this.pending = [];
    this.observed = undefined;
    this.probes = {};
  }

  private observe(): Observations {
    return {
      configurations: Object.fromEntries([...this.published].map(([name, bundle]) => [name, [bundle]])),
      servers: [...this.servers.keys()],
      probes: structuredClone(this.probes),
      replicas: [...this.replicas].flatMap(([name, { lease }]) =>
        lease === undefined ? [] : [{ name, ...lease }],
      ),
      ...(this.rotate === undefined ? {} : { rotate: this.rotate }),
    };
  }

  private decide(observed: Observations): void {
    let state = this.stored;
    for (let round = 0; round < 8; round++) {
      if (state === undefined) {
        const request: IssueRequest = { what: "replacement", because: "start" };
        state = acceptIssued(undefined, request, this.issue(request), this.now);
        continue;
      }
      const step = trustBundleStep(state, observed, this.now, simulatedOptions);
      if (step.issue !== undefined) {
        if (step.issue.what === "replacement") this.declareAmnesty(state);
        state = acceptIssued(state, step.issue, this.issue(step.issue), this.now);
        continue;
      }
      if (state.phase === "Distribute" && step.state.phase === "Switch" && this.isDead(state))
        this.amnesty = true;
      if (step.state.phase === "Switch" && state.phase !== "Switch") this.rotations++;
      this.stored = step.state;
      this.waitingFor = step.waitingFor;
      this.carryOut(step.desired);
      return;
    }
    throw new Error("the step never stops asking for material");
  }

  private carryOut(desired: Desired): void {
    for (const name of this.published.keys()) {
      this.pending.push(() => this.published.set(name, desired.caBundle));
    }
    const { serving, candidate } = desired;
    this.pending.push(() => {
      this.tls = {
        serving: serving.fingerprint,
        ...(candidate === undefined ? {} : { candidate: candidate.fingerprint }),
      };
    });
  }

  private declareAmnesty(state: TrustBundleState): void {
    if (!this.isDead(state))
      throw new Error(`everything was replaced although it was still good (${state.phase})`);
    this.amnesty = true;
  }

  private isDead(state: TrustBundleState): boolean {
    const signer = state.phase === "Switch" || state.phase === "Retire" ? state.next : state.current;
    return this.now > state.serving.notAfterMs || this.now > signer.notAfterMs;
  }

  private issue(request: IssueRequest): Issued {
    if (request.what === "replacement" || request.what === "rotation") {
      const authority = this.certificate("ca", simulatedOptions.caLifetimeMs);
      return { authority, leaf: this.leaf(authority) };
    }
    if (!("signer" in request)) throw new Error(`nothing signs a ${request.what}`);
    return { leaf: this.leaf(request.signer) };
  }

  private leaf(authority: KeyPair): KeyPair {
    const leaf = this.certificate("leaf", simulatedOptions.leafLifetimeMs);
    this.signerOf.set(leaf.fingerprint, authority.certificatePem);
    return { ...leaf, notAfterMs: Math.min(leaf.notAfterMs, authority.notAfterMs) };
  }

  private certificate(kind: "ca" | "leaf", lifetimeMs: number): KeyPair {
    const fingerprint = Buffer.from(`${kind}-${++this.counter}`).toString("hex");
    const [pem] = splitBundle(`-----BEGIN CERTIFICATE-----\n${fingerprint}\n-----END CERTIFICATE-----`);
    return {
      certificatePem: pem ?? "",
      privateKeyPem: "key",
      fingerprint,
      subject: kind,
      issuer: "simulation",
      serialNumber: String(this.counter),
      notBeforeMs: this.now - 300_000,
      notAfterMs: this.now + lifetimeMs,
      isAuthority: kind === "ca",
      dnsNames: simulatedOptions.dnsNames,
      ipAddresses: [],
      uris: [],
    };
  }

  // ---- API servers and replicas -------------------------------------------------------------------------------

  addServer(name: string): void {
    this.servers.set(name, new Map(this.published));
  }

  removeServer(name: string): void {
    this.servers.delete(name);
    delete this.probes[name];
  }

  /** The server's cache of one configuration catches up. */
  syncServer(name: string, configuration: string): void {
    const bundle = this.published.get(configuration);
    if (bundle !== undefined) this.servers.get(name)?.set(configuration, bundle);
  }

  addConfiguration(name: string): void {
    if (this.published.has(name) || this.stored === undefined) return;
    this.published.set(name, [...this.published.values()][0] ?? "");
  }

  /** The operator sends a dry-run request to this server; the answer names the leaf the server met. */
  probe(name: string, configuration: string, replica: string): void {
    const trusted = this.servers.get(name)?.get(configuration);
    const ready = this.replicas.get(replica);
    if (trusted === undefined || ready?.stage !== "ready") return;
    const leaf = ready.loaded?.candidate ?? ready.loaded?.serving;
    if (leaf === undefined || !this.trusts(trusted, leaf)) return;
    const seen = this.probes[name] ?? {};
    seen[configuration] = leaf;
    this.probes[name] = seen;
  }

  addReplica(name: string): void {
    this.replicas.set(name, { stage: "starting" });
  }

  removeReplica(name: string): void {
    this.replicas.delete(name);
  }

  /** The next thing this replica does on its own: reading the Secret or writing its Lease. */
  stepReplica(name: string): void {
    const replica = this.replicas.get(name);
    if (replica === undefined || this.tls === undefined) return;
    switch (replica.stage) {
      case "starting":
        replica.loaded = this.tls;
        replica.stage = "read";
        return;
      case "read":
        this.report(replica);
        replica.stage = "leased";
        return;
      case "leased":
        replica.loaded = this.tls;
        replica.stage = "ready";
        return;
      case "ready":
        if (replica.loaded === this.tls) this.report(replica);
        else replica.loaded = this.tls;
    }
  }

  private report(replica: Replica): void {
    if (replica.loaded === undefined) return;
    const { serving, candidate } = replica.loaded;
    replica.lease = {
      servingLeaf: serving,
      ...(candidate === undefined ? {} : { candidateLeaf: candidate }),
    };
  }

  private trusts(bundle: string, leaf: string): boolean {
    return splitBundle(bundle).includes(this.signerOf.get(leaf) ?? "unknown");
  }

  // ---- what must hold -----------------------------------------------------------------------------------------

  /** Meetings of an API server with a ready replica that would fail now. */
  mistrusts(): string[] {
    const found: string[] = [];
    for (const [server, caches] of this.servers) {
      for (const [configuration, bundle] of caches) {
        for (const [replica, { stage, loaded }] of this.replicas) {
          if (stage !== "ready" || loaded === undefined || this.trusts(bundle, loaded.serving)) continue;
          found.push(`${server} under ${configuration} refuses ${replica}`);
        }
      }
    }
    return found;
  }

  check(): void {
    const found = this.mistrusts();
    if (this.amnesty && this.isConverged()) this.amnesty = false;
    if (found.length > 0 && !this.amnesty)
      throw new Error(`in phase ${this.stored?.phase}: ${found.join("; ")}`);
  }

  /** Everybody gets a turn until nothing changes any more. */
  settle(): void {
    for (let round = 0; round < 60; round++) {
      for (let i = 0; i < this.published.size + 4; i++) this.operatorStep();
      this.everyServer((server, name) => this.syncServer(server, name));
      for (const replica of this.replicas.keys()) for (let i = 0; i < 3; i++) this.stepReplica(replica);
      this.everyServer((server, name) => {
        for (const replica of this.replicas.keys()) this.probe(server, name, replica);
      });
      this.check();
    }
  }

  private everyServer(visit: (server: string, configuration: string) => void): void {
    for (const server of this.servers.keys()) for (const name of this.published.keys()) visit(server, name);
  }

  isConverged(): boolean {
    const state = this.stored;
    if (state?.phase !== "Stable" || this.now > state.serving.notAfterMs) return false;
    const bundle = joinBundle([state.current.certificatePem]);
    return (
      [...this.published.values()].every((text) => text === bundle) &&
      [...this.servers.values()].every((caches) => [...caches.values()].every((text) => text === bundle)) &&
      [...this.replicas.values()].every(
        (replica) => replica.lease?.servingLeaf === state.serving.fingerprint,
      ) &&
      this.mistrusts().length === 0
    );
  }
}
