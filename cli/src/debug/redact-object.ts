import { redactTree } from "@shieldx/telemetry/redact";

type Loose = Record<string, unknown>;
const record = (value: unknown): Loose | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Loose) : undefined;

/**
 * A Kubernetes object without what a person who helps must not see: values of environment variables, contents of Secrets
 * and ConfigMaps, and the copy of the whole object that kubectl keeps in an annotation.
 */
export function redactObject(object: unknown): unknown {
  const source = record(object);
  if (source === undefined) return object;
  const { managedFields: _, annotations, ...metadata } = record(source.metadata) ?? {};
  const kept = Object.fromEntries(
    Object.entries(record(annotations) ?? {}).filter(
      ([name]) => name !== "kubectl.kubernetes.io/last-applied-configuration",
    ),
  );
  const isContainerOfSecrets = source.kind === "Secret" || source.kind === "ConfigMap";
  const { data, stringData, binaryData, ...rest } = source;
  const body = isContainerOfSecrets ? rest : source;
  return withoutEnvironment(
    redactTree(
      {
        ...body,
        metadata: { ...metadata, ...(Object.keys(kept).length === 0 ? {} : { annotations: kept }) },
      },
      { deepest, isShown },
    ),
  );
}

/** Pod templates alone nest twelve levels. */
const deepest = 64;

/**
 * Fields of Kubernetes whose names only sound secret: the key of a label or of an entry, and volumes that say which
 * Secret or token they hold, not what is in it.
 */
function isShown(name: string, value: unknown): boolean {
  return name === "key" || (["secret", "serviceAccountToken"].includes(name) && record(value) !== undefined);
}

/** Names of variables stay, and where a value comes from; values go. */
function withoutEnvironment(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEnvironment);
  const source = record(value);
  if (source === undefined) return value;
  return Object.fromEntries(
    Object.entries(source).map(([name, inner]) => [
      name,
      name === "env" && Array.isArray(inner) ? inner.map(withoutValue) : withoutEnvironment(inner),
    ]),
  );
}

function withoutValue(variable: unknown): unknown {
  const source = record(variable);
  return source === undefined || source.value === undefined ? variable : { ...source, value: "[redacted]" };
}
