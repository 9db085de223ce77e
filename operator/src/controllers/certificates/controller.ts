import {
  type ControllerDefinition,
  defineController,
  EndpointSlice,
  Lease,
  MutatingWebhookConfiguration,
  type ReconcileContext,
  Secret,
  ValidatingWebhookConfiguration,
  watch,
} from "@shieldx/controller-runtime";
import {
  ANNOTATION,
  CA_SECRET,
  FAIL_CONFIGURATION,
  IGNORE_CONFIGURATION,
  KINDS_CONFIGURATION,
  MUTATIONS_CONFIGURATION,
  TLS_SECRET,
} from "@shieldx/crds";
import {
  type Advance,
  advanceTrustBundle,
  type FoundMaterial,
  type Observations,
  PkiError,
  readTlsSecret,
  readTrustBundle,
  type TrustBundleOptions,
  type TrustBundleState,
} from "@shieldx/pki";
import { lookAgain, type OperatorContext } from "../../context.ts";
import { WEBHOOK_SUBJECTS } from "../../obstacles.ts";
import { caSecret, OURS, replicaLeases, tlsSecret } from "../../watched.ts";
import { writeSecret } from "./apply.ts";
import {
  announcements,
  certificateDays,
  certificateOptions,
  decode,
  probesToTry,
  secretData,
} from "./decide.ts";
import { certificateObservations, publishedBundles } from "./observe.ts";
import { probe } from "./probe.ts";

const CONFIGURATIONS = [FAIL_CONFIGURATION, IGNORE_CONFIGURATION, KINDS_CONFIGURATION];
const IDENTITY_LEASES = {
  namespace: "kube-system",
  labelSelector: "apiserver.kubernetes.io/identity=kube-apiserver",
} as const;
/** Handshakes are tried again this soon; the API servers' watches usually need less. */
const PROBE_RETRY_MS = 200;
const [SUBJECT] = WEBHOOK_SUBJECTS;

export interface CertificateSettings {
  /** Shorter lifetimes for tests of rotation. */
  readonly options?: Partial<TrustBundleOptions>;
}

/**
 * Keeps the webhook's certificates: state and keys in the Secret `shieldx-webhooks-ca`, what replicas serve in
 * `shieldx-webhooks-tls`. Each step of a rotation waits for what the step before has to have reached.
 */
export function certificatesController(
  operator: OperatorContext,
  settings: CertificateSettings = {},
): ControllerDefinition<Secret> {
  const key = { name: CA_SECRET, namespace: operator.namespace };
  const only = () => [key];
  const options = { ...certificateOptions(operator.webhookAddress, operator.namespace), ...settings.options };
  /** Handshakes seen, by API server and configuration. */
  let probes: Record<string, Record<string, string>> = {};
  /** Not logged again while the same problem lasts. */
  let lastProblem = "";

  async function observe(
    context: ReconcileContext,
    before: TrustBundleState | undefined,
    rotate: string | undefined,
    now: number,
  ): Promise<Observations> {
    // Only this step of a rotation asks how many API servers there are.
    const identities =
      before?.phase === "Distribute" ? await context.client.list(Lease, IDENTITY_LEASES) : undefined;
    return certificateObservations({
      configurations: [
        ...CONFIGURATIONS.map((name) => context.get(ValidatingWebhookConfiguration, { name })),
        context.get(MutatingWebhookConfiguration, { name: MUTATIONS_CONFIGURATION }),
      ],
      slices: context
        .list(EndpointSlice)
        .filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === "kubernetes"),
      identityLeases: identities?.items ?? [],
      replicas: operator.world.possibleReplicas(now),
      probes,
      rotate,
    });
  }

  async function tryHandshakes(
    context: ReconcileContext,
    advance: Advance,
    observed: Observations,
  ): Promise<boolean> {
    const targets = probesToTry(advance.desired, observed);
    if (targets.length === 0) return false;
    const results = await Promise.all(
      targets.map((target) => probe(context.client, target, operator.namespace, context.signal)),
    );
    for (const { server, configuration, fingerprint } of results) {
      if (fingerprint !== undefined)
        probes = { ...probes, [server]: { ...probes[server], [configuration]: fingerprint } };
    }
    const problem = results.find((result) => result.problem !== undefined);
    const text =
      problem === undefined ? "" : `${problem.server} under ${problem.configuration}: ${problem.problem}`;
    if (text !== "" && text !== lastProblem) {
      context.logger.info(
        { server: problem?.server, problem: problem?.problem },
        "handshake not yet confirmed",
      );
    }
    lastProblem = text;
    return true;
  }

  async function store(
    context: ReconcileContext,
    secret: Secret | undefined,
    advance: Advance,
  ): Promise<void> {
    const data = secretData(advance.state, advance.desired);
    // The state first: what is served and published must always be explained by what is stored.
    await writeSecret(context.client, secret, { ...key, type: "Opaque" }, data.ca);
    const tls = await context.client.find(Secret, { name: TLS_SECRET, namespace: operator.namespace });
    await writeSecret(
      context.client,
      tls,
      { name: TLS_SECRET, namespace: operator.namespace, type: "kubernetes.io/tls" },
      data.tls,
    );
  }

  function tell(
    context: ReconcileContext,
    before: TrustBundleState | undefined,
    advance: Advance,
    now: number,
  ): void {
    const { events, rotated } = announcements(before, advance.state, advance.issued);
    for (const certificate of rotated) operator.metrics.certificateRotations.inc({ certificate });
    for (const event of events) {
      context.logger.info({ phase: advance.state.phase }, event.note);
      context.events.event(
        { apiVersion: "v1", kind: "Secret", metadata: key },
        { action: "Rotate", ...event },
      );
    }
    operator.metrics.certificateDaysLeft.reset();
    for (const [certificate, days] of Object.entries(certificateDays(advance.state, now))) {
      operator.metrics.certificateDaysLeft.set({ certificate }, days);
    }
  }

  async function reconcile(context: ReconcileContext): Promise<number> {
    const now = operator.clock.now();
    // Read from the server, not the cache: deciding on a state that we have replaced would issue certificates anew.
    const secret = await context.client.find(Secret, key);
    const before = readState(context, secret);
    const observed = await observe(context, before, secret?.metadata.annotations?.[ANNOTATION.rotate], now);
    const found = before === undefined ? await find(context, operator.namespace, observed) : undefined;
    let advance = await advanceTrustBundle({
      state: before,
      observed,
      now,
      options,
      ...(found && { found }),
    });
    await store(context, secret, advance);
    tell(context, before, advance, now);
    if (!(await tryHandshakes(context, advance, observed))) {
      if (advance.waitingFor.length > 0)
        context.logger.debug({ waitingFor: advance.waitingFor }, "certificates wait");
      return advance.requeueAfterMs;
    }
    const stored = await context.client.find(Secret, key);
    const confirmed: Observations = { ...observed, probes };
    const middle = advance.state;
    advance = await advanceTrustBundle({ state: middle, observed: confirmed, now, options });
    if (advance.state === middle) return Math.min(PROBE_RETRY_MS, advance.requeueAfterMs);
    await store(context, stored, advance);
    tell(context, middle, advance, now);
    return advance.requeueAfterMs;
  }

  return defineController<Secret>({
    name: "certificates",
    for: { type: Secret, ...caSecret(operator.namespace) },
    watches: [
      watch({ type: Secret, ...tlsSecret(operator.namespace), map: only }),
      watch({ type: ValidatingWebhookConfiguration, map: only }),
      watch({ type: MutatingWebhookConfiguration, ...OURS, map: only }),
      watch({ type: Lease, ...replicaLeases(operator.namespace), map: only }),
      watch({ type: EndpointSlice, namespace: "default", map: only }),
    ],
    reconcile: async ({ name, namespace }, context) => {
      if (name !== CA_SECRET || namespace !== operator.namespace) return undefined;
      try {
        const waitMs = await reconcile(context);
        operator.obstacles.clear(SUBJECT);
        return lookAgain(Math.max(1, waitMs));
      } catch (error) {
        return lookAgain(operator.obstacles.failed(SUBJECT, error, operator.clock.now()).retryAfterMs);
      }
    },
  });
}

/** A state that cannot be read is begun anew from what is published, and said so. */
function readState(context: ReconcileContext, secret: Secret | undefined): TrustBundleState | undefined {
  if (secret === undefined) return undefined;
  const entries = decode(secret.data);
  if (Object.keys(entries).length === 0) return undefined;
  try {
    return readTrustBundle(entries);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    context.logger.error(
      { err: error },
      "the stored certificate state is unusable; taking over what is published",
    );
    return undefined;
  }
}

/** What replicas serve and API servers trust where our own state is lost. */
async function find(
  context: ReconcileContext,
  namespace: string,
  observed: Observations,
): Promise<FoundMaterial | undefined> {
  const caBundle = Object.values(observed.configurations ?? publishedBundles([]))
    .flat()
    .find((bundle) => bundle !== "");
  const tls = await context.client.find(Secret, { name: TLS_SECRET, namespace });
  if (tls === undefined || caBundle === undefined) return undefined;
  try {
    return { serving: readTlsSecret(decode(tls.data)).serving, caBundle };
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
    context.logger.warn({ err: error }, `Secret ${TLS_SECRET} is unusable; issuing anew`);
    return undefined;
  }
}
