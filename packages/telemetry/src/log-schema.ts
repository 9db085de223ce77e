/** What a field of a log line holds. `address` is what a socket listens on: text (a path) or Node's AddressInfo. */
type FieldType = "text" | "number" | "boolean" | "texts" | "object" | "error" | "time" | "level" | "address";

export interface LogField {
  readonly type: FieldType;
  readonly about: string;
  /** In every line. */
  readonly always?: true;
}

/**
 * The schema of ShieldX's log lines. It only grows: a field keeps its name and type within a major version. What is not
 * here must not be logged, and a test holds real processes to that.
 */
export const logFields = {
  level: { type: "level", about: "`trace`, `debug`, `info`, `warn`, `error` or `fatal`", always: true },
  time: { type: "time", about: "when, RFC 3339 in UTC with milliseconds", always: true },
  component: { type: "text", about: "the process: `operator`, `webhooks` or `uninstall`", always: true },
  msg: { type: "text", about: "what happened, for people", always: true },
  err: { type: "error", about: "`{type, message, stack, code, cause}`; `cause` is another error" },
  traceId: { type: "text", about: "the trace this belongs to, where traces are on" },
  spanId: { type: "text", about: "the span of it" },

  controller: { type: "text", about: "controller whose reconcile this is about" },
  reconcileID: { type: "text", about: "one reconcile: every line of it has the same" },
  failures: { type: "number", about: "how often in a row this key has failed" },
  namespace: { type: "text", about: "namespace of the object" },
  name: { type: "text", about: "name of the object" },
  kind: { type: "text", about: "kind of the object" },
  object: { type: "text", about: "name, or namespace and name, of an object of ours" },
  generation: { type: "number", about: "`metadata.generation` of the object" },
  drift: { type: "texts", about: "paths at which an object of ours differed from what it has to be" },

  uid: { type: "text", about: "`request.uid` of the admission request: every line about a review has it" },
  operation: { type: "text", about: "CREATE, UPDATE, DELETE or CONNECT" },
  resource: { type: "text", about: "kind of object in the API's words, as `deployments.apps`" },
  webhook: { type: "text", about: "path the review came in at" },
  policies: { type: "texts", about: "ShieldPolicies that refused, or could not be held against a request" },
  allowed: { type: "boolean", about: "the verdict" },
  dryRun: { type: "boolean", about: "the request was a dry run" },
  tookMs: { type: "number", about: "how long it took" },

  digest: { type: "text", about: "digest of a policy set" },
  inForce: { type: "number", about: "policies in the set" },
  step: { type: "text", about: "step that the rollout of a policy is in" },
  keepsLastGood: { type: "boolean", about: "an older version of the policy stays in force" },
  leftOut: { type: "texts", about: "exceptions that no longer fit into a native policy" },

  leaf: { type: "text", about: "SHA-256 fingerprint of a serving certificate" },
  serving: { type: "text", about: "fingerprint of the leaf that is served" },
  candidate: { type: "text", about: "fingerprint of the leaf that is being tried" },
  phase: { type: "text", about: "phase of the certificates' rotation" },
  waitingFor: { type: "texts", about: "what a rotation waits for" },
  problem: {
    type: "text",
    about: "why a handshake is not confirmed, a policy not held against a request, or a check not passed",
  },

  lease: { type: "text", about: "namespace and name of a Lease" },
  identity: { type: "text", about: "who holds it" },
  replica: { type: "text", about: "name of a webhook replica" },
  runnable: { type: "text", about: "a part of the process" },
  runnables: { type: "texts", about: "parts of the process that still run" },
  check: { type: "text", about: "a check of /healthz or /readyz" },

  server: { type: "text", about: "URL of an API server" },
  serverMinor: { type: "number", about: "its minor version" },
  from: { type: "number", about: "minor version before" },
  to: { type: "number", about: "minor version now" },
  verb: { type: "text", about: "`list` or `watch`" },
  failure: { type: "text", about: "`expired`, `unavailable` or `rejected`" },
  objects: { type: "number", about: "objects in a cache" },
  event: { type: "text", about: "`added`, `updated` or `deleted`" },
  regarding: { type: "object", about: "reference to the object an Event was to be about" },
  reason: { type: "text", about: "reason of the Event" },
  report: { type: "text", about: "name of a Report" },
  request: { type: "text", about: "request to the API server" },
  configuration: { type: "text", about: "name of a webhook configuration" },
  source: { type: "text", about: "file that credentials come from" },

  address: { type: "address", about: "where something listens" },
  probe: { type: "address", about: "where the probe port listens" },
  port: { type: "text", about: "`https` or `probe`" },
  remote: { type: "text", about: "address of the peer" },
  status: { type: "number", about: "HTTP status" },
  code: { type: "text", about: "code of a network error" },

  waiting: { type: "boolean", about: "the process waits until this is mended" },
  waitingEvents: { type: "number", about: "Events in the queue" },
  delayMs: { type: "number", about: "how long it waits" },
  timeoutMs: { type: "number", about: "how long it waited" },
  removed: { type: "number", about: "objects removed" },
  pods: { type: "texts", about: "names of Pods" },
} as const satisfies Record<string, LogField>;

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const levels: ReadonlySet<unknown> = new Set(["trace", "debug", "info", "warn", "error", "fatal"]);
const longestText = 32_768;

/** What is wrong with a line, in words; empty when it keeps the schema. */
export function problemsOfLogLine(line: string): string[] {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [`is not JSON: ${error.message}`];
  }
  if (!isRecord(fields)) return ["is not an object"];
  const problems: string[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const field: LogField | undefined = Object.hasOwn(logFields, name)
      ? logFields[name as keyof typeof logFields]
      : undefined;
    if (field === undefined) problems.push(`${name}: is not in the schema`);
    else if (!fits(field.type, value)) problems.push(`${name}: is not ${field.type}`);
  }
  for (const [name, field] of Object.entries(logFields)) {
    if ("always" in field && !(name in fields)) problems.push(`${name}: is missing`);
  }
  const repeated = repeatedNames(line);
  if (repeated.length > 0) problems.push(`${repeated.join(", ")}: more than once`);
  return problems;
}

function fits(type: FieldType, value: unknown): boolean {
  switch (type) {
    case "text":
      return typeof value === "string" && value.length <= longestText;
    case "texts":
      return Array.isArray(value) && value.every((item) => fits("text", item));
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "object":
      return isRecord(value);
    case "address":
      return typeof value === "string" || isRecord(value);
    case "level":
      return levels.has(value);
    case "time":
      return typeof value === "string" && time.test(value);
    case "error":
      return isErrorField(value);
    default:
      return type satisfies never;
  }
}

function isErrorField(value: unknown): boolean {
  if (!isRecord(value) || typeof value.type !== "string" || typeof value.message !== "string") return false;
  return Object.entries(value).every(([name, inner]) =>
    name === "cause"
      ? isErrorField(inner)
      : ["type", "message", "stack", "code"].includes(name) && typeof inner === "string",
  );
}

/** Names that the outermost object has twice, which JSON.parse does not tell. */
function repeatedNames(line: string): string[] {
  const seen = new Set<string>();
  const repeated: string[] = [];
  let depth = 0;
  for (const token of line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    const [text, colon] = token;
    if (text === "{" || text === "[") depth++;
    else if (text === "}" || text === "]") depth--;
    else if (colon !== undefined && depth === 1) {
      const name = String(JSON.parse(text.slice(0, text.length - colon.length)));
      if (seen.has(name)) repeated.push(name);
      seen.add(name);
    }
  }
  return repeated;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The schema as a page for people. */
export function logReference(): string {
  const rows = Object.entries(logFields).map(
    ([name, field]) =>
      `| \`${name}\` | ${field.type} | ${"always" in field ? "always" : ""} | ${field.about} |`,
  );
  return `<!-- Generated by \`make generate\`; do not edit. -->
# Log lines

Every process writes one JSON object a line to standard output. A field keeps its name and type within a major version;
new ones may come. Keys, tokens and passwords are redacted as \`[redacted]\`.

| Field | Type | | What |
|---|---|---|---|
${rows.join("\n")}
`;
}
