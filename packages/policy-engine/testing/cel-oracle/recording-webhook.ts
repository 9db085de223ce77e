/**
 * A validating webhook that allows everything and keeps what it was asked. Webhooks run after
 * ValidatingAdmissionPolicies on the same request, so what it keeps is what the policies saw, in the very form in which
 * our own webhook would be asked.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { parseExactJson } from "../../src/exact-json.ts";
import { selfSignedCertificate } from "./self-signed.ts";

export type ReviewRequest = Readonly<Record<string, unknown>>;

export class RecordingWebhook {
  readonly #server: Server;
  readonly #kept = new Map<string, ReviewRequest>();
  readonly url: string;
  readonly caBundle: string;

  constructor(server: Server, certificatePem: string) {
    this.#server = server;
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    this.caBundle = Buffer.from(certificatePem).toString("base64");
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.once("end", () => {
        const review = parseExactJson(Buffer.concat(chunks).toString()) as { request: ReviewRequest };
        this.#kept.set(keyOf(review.request), review.request);
        response.setHeader("content-type", "application/json");
        const answer = { uid: review.request.uid, allowed: true };
        response.end(
          JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response: answer }),
        );
      });
    });
  }

  static async start(now: number): Promise<RecordingWebhook> {
    const { certificatePem, privateKeyPem } = selfSignedCertificate("127.0.0.1", now);
    const server = createServer({ cert: certificatePem, key: privateKeyPem });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new RecordingWebhook(server, certificatePem);
  }

  /**
   * The request about the object with this label `question`, once. Controllers copy labels: the same may come with
   * objects they make.
   */
  take(operation: string, resource: string, question: string): ReviewRequest | undefined {
    const key = `${operation} ${resource} ${question}`;
    const review = this.#kept.get(key);
    this.#kept.delete(key);
    return review;
  }

  /** What registers it for every object that has a label `question`. */
  get configuration(): object {
    return {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "recording" },
      webhooks: [
        {
          name: "recording.oracle.example.com",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          clientConfig: { url: this.url, caBundle: this.caBundle },
          objectSelector: { matchExpressions: [{ key: "question", operator: "Exists" }] },
          rules: [
            {
              apiGroups: ["*"],
              apiVersions: ["*"],
              operations: ["CREATE", "UPDATE", "DELETE"],
              resources: ["*"],
              scope: "*",
            },
          ],
        },
      ],
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function keyOf(request: ReviewRequest): string {
  const object = (request.object ?? request.oldObject) as { metadata: { labels: { question: string } } };
  const { resource } = request.resource as { resource: string };
  return `${String(request.operation)} ${resource} ${object.metadata.labels.question}`;
}
