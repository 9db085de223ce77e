/** Names as Kubernetes restricts them, for use in schemas. */
import { text } from "../structural/fields.ts";

/** RFC 1123 subdomain: names of most objects. */
export function subdomain(options: { max?: number } = {}) {
  return text({
    min: 1,
    max: options.max ?? 253,
    pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
    hint: "lower case letters, digits, '-' and '.', beginning and ending with a letter or digit",
  });
}

/** RFC 1123 label: names of namespaces. */
export function dnsLabel() {
  return text({
    min: 1,
    max: 63,
    pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    hint: "lower case letters, digits and '-', beginning and ending with a letter or digit",
  });
}

/** Name of an API kind, e.g. `Deployment`. */
export function kindName() {
  return text({
    min: 1,
    max: 63,
    pattern: /^[A-Za-z][A-Za-z0-9]*$/,
    hint: "the name of a kind, e.g. Pod or Deployment",
  });
}

/** A name with an optional DNS prefix, e.g. `example.com/not-a-lease`. */
export function qualifiedName() {
  return text({
    min: 1,
    max: 317,
    pattern: /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/,
    hint: "letters, digits, '-', '_' and '.', with an optional DNS prefix and '/'",
  });
}

/** `group/version`, or `v1` for the core group. */
export function apiVersion() {
  return text({
    min: 1,
    max: 317,
    pattern: /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?v[0-9]+((alpha|beta)[0-9]+)?$/,
    hint: "group/version, e.g. apps/v1, or v1 for the core group",
  });
}

/** A span of time in hours, minutes and seconds, e.g. `720h` or `1h30m`; see {@link parseDurationMs}. */
export function duration() {
  return text({
    min: 2,
    max: 20,
    pattern: /^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$/,
    hint: "a duration in hours, minutes and seconds, e.g. 720h or 1h30m",
  });
}
