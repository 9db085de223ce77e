/**
 * The one place that decides what must not be shown: keys, tokens, passwords. Logs pass through it, and so does
 * everything that `shieldctl debug bundle` collects.
 */
export const redacted = "[redacted]";

const secretName =
  /(pass(word|wd|phrase)?|secret(key)?|token|authorization|cookie|credentials?|private[-_]?key(pem)?|api[-_]?key|access[-_]?key|client[-_]?key(-?data)?|bearer)$/i;
/** Of fields only, where it means a key of cryptography; as part of a text it is any word. */
const secretField = /^(key|keyPem|tls\.key|ca\.key|.*\.key)$/;

/** Log lines have the same few names again and again. */
const judgedNames = new Map<string, boolean>();
const mostJudgedNames = 1_000;

/** Whether a field of this name holds something secret. */
export function isSecretName(name: string): boolean {
  const known = judgedNames.get(name);
  if (known !== undefined) return known;
  const isSecret = secretField.test(name) || secretName.test(name);
  if (judgedNames.size < mostJudgedNames) judgedNames.set(name, isSecret);
  return isSecret;
}

interface Pattern {
  readonly find: RegExp;
  readonly by: string | ((match: string, ...groups: string[]) => string);
}

const patterns: readonly Pattern[] = [
  {
    // To the end line where there is one, and never beyond a quote: inside JSON the line must stay JSON.
    find: /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:(?!-----END)[^"])*(?:-----END [A-Z0-9 ]*PRIVATE KEY-----)?/g,
    by: redacted,
  },
  {
    // The same in base64, as Secrets and kubeconfigs hold it: "-----BEGIN", then whatever it is the beginning of.
    find: /LS0tLS1CRUdJTi[A-Za-z0-9+/=]+/g,
    by: (match) =>
      Buffer.from(match.slice(0, 64), "base64").toString("latin1").includes("PRIVATE KEY") ? redacted : match,
  },
  // JSON Web Tokens (RFC 7519), which ServiceAccount tokens are: header.payload.signature, base64url of {"…
  // A header has some 100 characters; without a bound every "-eyJ" of a long text would be looked through to its end.
  { find: /\beyJ[A-Za-z0-9_-]{6,2048}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*/g, by: redacted },
  { find: /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi, by: `$1 ${redacted}` },
  // User and password in a URL.
  { find: /(:\/\/[^/\s:@"']+):[^/\s@"']+@/g, by: `$1:${redacted}@` },
  // Bootstrap tokens, and access keys of clouds and forges by their documented prefixes.
  { find: /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, by: redacted },
  {
    find: /\b(AKIA|ASIA)[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bglpat-[A-Za-z0-9_-]{20,}/g,
    by: redacted,
  },
  // name=value, as command lines and connection strings have it. What comes before the word does not matter: looking for
  // its beginning from each place where it could be would take time in the square of the text's length.
  {
    find: /(password|passwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key)=[^\s"'&;,]+/gi,
    by: `$1=${redacted}`,
  },
  // --name value: on a line, as two items of a YAML list, as two of a JSON one.
  {
    find: /((?<!["'])--[\w-]{0,64}?(?:password|passwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key)\s{1,64}(?:- )?)[^\s"'\\-][^\s"'\\]*/gi,
    by: `$1${redacted}`,
  },
  {
    find: /("--[\w-]{0,64}?(?:password|passwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key)",\s{0,64}")[^"\\-][^"\\]*/gi,
    by: `$1${redacted}`,
  },
  // "name":"value" of JSON, and the same as a string inside JSON.
  {
    find: /((?:password|passwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key)":\s{0,8}")(?:[^"\\]|\\.)+/gi,
    by: `$1${redacted}`,
  },
  {
    find: /((?:password|passwd|secret|token|api[-_]?key|private[-_]?key|access[-_]?key)\\":\s{0,8}\\")[^"\\]+/gi,
    by: `$1${redacted}`,
  },
];

/** Most texts hold nothing that could be secret. Two cheap looks: one expression of all this costs ten times as much. */
const suspicious = /PRIVATE KEY|LS0tLS1|eyJ|:\/\/[^/\s]*@|\.[a-z0-9]{16}|AKIA|ASIA|gh[pousr]_|glpat-/;
const suspiciousWord =
  /bearer|basic|(?:pass(?:word|wd)|secret|token|key)(?:=|\\?":)|--[\w-]{0,64}(?:pass(?:word|wd)|secret|token|key)[\s"]/i;

/** The text without what looks like a key, token or password. */
export function redactText(text: string): string {
  if (!suspicious.test(text) && !suspiciousWord.test(text)) return text;
  let result = text;
  for (const { find, by } of patterns) {
    result = typeof by === "string" ? result.replace(find, by) : result.replace(find, by);
  }
  return result;
}

const deepest = 8;

export interface RedactOptions {
  /** What is nested deeper is cut. */
  readonly deepest?: number;
  /** What stays although its name sounds secret. */
  readonly isShown?: (name: string, value: unknown) => boolean;
}

/**
 * A copy without what fields of secret names hold, at any depth. Errors are left for whoever turns them into text.
 * Anything nested deeper than a person reads is cut.
 */
export function redactFields<T extends object>(fields: T): T {
  return walk(fields, 0, deepest, hidesAll) as T;
}

/** The same of a whole object with a shape of its own. */
export function redactTree<T extends object>(tree: T, options: RedactOptions): T {
  return walk(tree, 0, options.deepest ?? deepest, options.isShown ?? hidesAll) as T;
}

const hidesAll = (): boolean => false;

/** A yes or no is no secret: `automountServiceAccountToken: false` is worth reading. */
function isHideable(value: unknown): boolean {
  return value !== undefined && value !== null && typeof value !== "boolean";
}

function walk(
  value: unknown,
  depth: number,
  limit: number,
  isShown: NonNullable<RedactOptions["isShown"]>,
): unknown {
  if (typeof value !== "object" || value === null || value instanceof Error) return value;
  if (depth >= limit) return "[nested too deeply]";
  if (Array.isArray(value)) return value.map((item) => walk(item, depth + 1, limit, isShown));
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function") return value;
  const copy: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const isPlain = typeof inner !== "object" && !isSecretName(name);
    copy[name] = isPlain
      ? inner
      : isHideable(inner) && isSecretName(name) && !isShown(name, inner)
        ? redacted
        : walk(inner, depth + 1, limit, isShown);
  }
  return copy;
}
