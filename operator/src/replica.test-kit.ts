// A stand-in for one webhook replica: real TLS from the real Secret, a real Lease, and answers of one line.
// The operator must not import the webhooks' package; suites that run both processes are in e2e.
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Applicable, type Client, formatMicroTime, Lease, Secret } from "@shieldx/controller-runtime";
import { formatKeptPolicies } from "@shieldx/crds";
import { fingerprint, readTlsSecret } from "@shieldx/pki";
import { buildPolicySet, type PolicySet } from "@shieldx/policy-engine";
import { asException, asPolicy, ShieldExceptionType, ShieldPolicyType } from "./kinds.ts";

interface Review {
  readonly request: {
    readonly uid: string;
    readonly object?: { metadata?: { labels?: Record<string, string> } };
  };
}

export class StandInReplica {
  readonly #client: Client;
  readonly #namespace: string;
  readonly #servers: Server[] = [];
  readonly #stop = new AbortController();
  #serving: string | undefined;
  #set: PolicySet | undefined;
  #candidate: string | undefined;
  #loop: Promise<void> | undefined;
  /** Leaves under which requests were answered. */
  readonly leavesServed = new Set<string>();
  requests = 0;
  url = "";
  probeUrl = "";

  constructor(client: Client, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
  }

  /** Ports first: the operator needs the URLs before there is a certificate to serve. */
  async listen(): Promise<void> {
    const admit = await this.#serve((review) =>
      review.request.object?.metadata?.labels?.verdict === "deny" ? "the stand-in refuses" : undefined,
    );
    const probe = await this.#serve(() => `served leaf ${this.#candidate ?? this.#serving}`);
    this.url = `https://127.0.0.1:${admit}`;
    this.probeUrl = `https://127.0.0.1:${probe}`;
  }

  /** Begin to read the Secret, serve, and renew the Lease. */
  join(): void {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#load();
        if (this.#serving !== undefined) await this.#renew();
      } catch (error) {
        if (!this.#stop.signal.aborted) console.error("stand-in replica:", error);
      }
      await delay(100, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }

  async #load(): Promise<void> {
    const key = { name: "shieldx-webhooks-tls", namespace: this.#namespace };
    const secret = await this.#client.find(Secret, key);
    if (secret?.data === undefined) return;
    const text = Object.fromEntries(
      Object.entries(secret.data).map(([name, value]) => [name, Buffer.from(value, "base64").toString()]),
    );
    const { serving, candidate } = readTlsSecret(text);
    const [admit, probe] = this.#servers;
    const offered = candidate ?? serving;
    admit?.setSecureContext({
      cert: serving.certificatePem,
      key: serving.privateKeyPem,
      minVersion: "TLSv1.3",
    });
    probe?.setSecureContext({
      cert: offered.certificatePem,
      key: offered.privateKeyPem,
      minVersion: "TLSv1.3",
    });
    this.#serving = fingerprint(serving.certificatePem);
    this.#candidate = candidate?.fingerprint;
  }

  async #renew(): Promise<void> {
    const [policies, exceptions] = await Promise.all([
      this.#client.list(ShieldPolicyType),
      this.#client.list(ShieldExceptionType),
    ]);
    const set = buildPolicySet({
      policies: policies.items.map(asPolicy),
      exceptions: exceptions.items.map(asException),
      serverMinor: 37,
      previous: this.#set,
      neverJudged: [this.#namespace],
    });
    this.#set = set;
    const kept = formatKeptPolicies(set.kept);
    const lease: Applicable<Lease> = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: "shieldx-webhooks-stand-in",
        namespace: this.#namespace,
        labels: { "app.kubernetes.io/component": "webhooks" },
        annotations: {
          "shieldx.io/policy-set-digest": set.digest,
          ...(kept === undefined ? {} : { "shieldx.io/kept-policies": kept }),
          "shieldx.io/serving-leaf": this.#serving ?? "",
          ...(this.#candidate === undefined ? {} : { "shieldx.io/candidate-leaf": this.#candidate }),
        },
      },
      spec: {
        holderIdentity: "stand-in",
        leaseDurationSeconds: 30,
        renewTime: formatMicroTime(Date.now() * 1000),
      },
    };
    await this.#client.apply(Lease, lease, { fieldManager: "stand-in", force: true });
  }

  async #serve(refusal: (review: Review) => string | undefined): Promise<number> {
    const server = createServer({ minVersion: "TLSv1.3" }, (request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => {
        this.requests++;
        if (this.#serving !== undefined) this.leavesServed.add(this.#serving);
        const review = JSON.parse(body) as Review;
        const message = refusal(review);
        const answer = {
          uid: review.request.uid,
          allowed: message === undefined,
          ...(message === undefined ? {} : { status: { message, code: 403 } }),
        };
        // Each request gets a handshake of its own; closing an idle connection would race with the next request on it.
        response.setHeader("connection", "close");
        response.setHeader("content-type", "application/json");
        response.end(
          JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: answer }),
        );
      });
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  }
}
