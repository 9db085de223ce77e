/** Flags about decisions over HTTP and their log. */
import type { RegoJson } from "@shieldx/policy-engine/decisions";
import { MaskError, type MaskRule, parseMaskRules } from "../decision-log/mask.ts";
import { duration, FlagError } from "./flag-error.ts";

export interface DecisionFlags {
  /** What callers' tokens must be meant for; undefined: the API server. */
  readonly audience: string | undefined;
  /** Of a replica's time, in percent: the rest is kept for admission. */
  readonly sharePercent: number;
  readonly log: DecisionLogFlags;
}

export interface DecisionLogFlags {
  /** Batches are POSTed to `<url>/logs`; undefined: nowhere. */
  readonly url: URL | undefined;
  readonly tokenFile: string | undefined;
  readonly caFile: string | undefined;
  /** Whether each event is also a line of standard output. */
  readonly toConsole: boolean;
  /** Whether refused admission requests are logged, too. */
  readonly admission: boolean;
  readonly mask: readonly MaskRule[];
  readonly labels: Readonly<Record<string, string>>;
  readonly bufferBytes: number;
  readonly bufferEvents: number;
  /** Of one batch, compressed. */
  readonly uploadBytes: number;
  readonly intervalMs: number;
  readonly longestRetryMs: number;
}

export const decisionUsage = `  --decision-audience NAME       what the tokens of HTTP callers must be meant for (default: the API server)
  --decision-share PERCENT       of a replica's time that decisions may take (default 50); admission gets the rest
  --decision-log-url URL         send the decision log to URL/logs, https only (default: nowhere)
  --decision-log-token-file PATH bearer token for it, read for each batch
  --decision-log-ca-file PATH    who signs its certificate (default: well-known CAs)
  --decision-log-console         write each decision as a line of standard output, too
  --decision-log-admission       log refused admission requests, too, without their objects
  --decision-log-mask RULE       erase a path such as /input/password, or replace it:
                                 {"op":"upsert","path":"/input/password","value":"***"}; may be repeated
  --decision-log-label KEY=VALUE label of each event; may be repeated
  --decision-log-buffer-bytes N  events that wait, the oldest go first (default 16777216)
  --decision-log-buffer-events N (default 100000)
  --decision-log-upload-bytes N  largest batch, compressed (default 32768)
  --decision-log-interval DURATION between batches that are not full (default 5s)
  --decision-log-longest-retry DURATION longest pause after failures (default 5m)
`;

const text = { type: "string" } as const;
const flag = { type: "boolean" } as const;
const list = { type: "string", multiple: true } as const;

export const decisionOptions = {
  "decision-audience": text,
  "decision-share": text,
  "decision-log-url": text,
  "decision-log-token-file": text,
  "decision-log-ca-file": text,
  "decision-log-console": flag,
  "decision-log-admission": flag,
  "decision-log-mask": list,
  "decision-log-label": list,
  "decision-log-buffer-bytes": text,
  "decision-log-buffer-events": text,
  "decision-log-upload-bytes": text,
  "decision-log-interval": text,
  "decision-log-longest-retry": text,
} as const;

type Values = {
  readonly [Key in keyof typeof decisionOptions]?:
    | ((typeof decisionOptions)[Key] extends { multiple: true }
        ? string[]
        : (typeof decisionOptions)[Key] extends { type: "boolean" }
          ? boolean
          : string)
    | undefined;
};

const mebibyte = 1024 * 1024;

/** @throws FlagError naming the flag and what it takes */
export function parseDecisionFlags(values: Values): DecisionFlags {
  const url = values["decision-log-url"];
  return {
    audience: values["decision-audience"],
    sharePercent: whole(values, "decision-share", 50, 1, 100),
    log: {
      url: url === undefined ? undefined : httpsUrl("--decision-log-url", url),
      tokenFile: values["decision-log-token-file"],
      caFile: values["decision-log-ca-file"],
      toConsole: values["decision-log-console"] ?? false,
      admission: values["decision-log-admission"] ?? false,
      mask: (values["decision-log-mask"] ?? []).flatMap(maskRule),
      labels: Object.fromEntries((values["decision-log-label"] ?? []).map(label)),
      bufferBytes: whole(values, "decision-log-buffer-bytes", 16 * mebibyte, 65_536, 1024 * mebibyte),
      bufferEvents: whole(values, "decision-log-buffer-events", 100_000, 1, 10_000_000),
      uploadBytes: whole(values, "decision-log-upload-bytes", 32_768, 1_024, 16 * mebibyte),
      intervalMs: duration("--decision-log-interval", values["decision-log-interval"] ?? "5s"),
      longestRetryMs: duration("--decision-log-longest-retry", values["decision-log-longest-retry"] ?? "5m"),
    },
  };
}

/** Decisions hold what callers sent: they leave encrypted, or not at all. */
function httpsUrl(name: string, value: string): URL {
  const url = URL.parse(value);
  if (url?.protocol === "https:" && url.username === "" && url.search === "" && url.hash === "") return url;
  throw new FlagError(
    `${name} ${JSON.stringify(value.slice(0, 128))}: must be a URL such as https://logs.example.com`,
  );
}

function maskRule(value: string): readonly MaskRule[] {
  try {
    const rule: RegoJson = value.startsWith("{") ? (JSON.parse(value) as RegoJson) : value;
    return parseMaskRules([rule]);
  } catch (cause) {
    if (!(cause instanceof MaskError || cause instanceof SyntaxError)) throw cause;
    throw new FlagError(`--decision-log-mask ${JSON.stringify(value.slice(0, 128))}: ${cause.message}`, {
      cause,
    });
  }
}

function label(value: string): [string, string] {
  const at = value.indexOf("=");
  if (at < 1)
    throw new FlagError(`--decision-log-label ${JSON.stringify(value.slice(0, 128))}: must be KEY=VALUE`);
  return [value.slice(0, at), value.slice(at + 1)];
}

type NumberFlag =
  | "decision-share"
  | "decision-log-buffer-bytes"
  | "decision-log-buffer-events"
  | "decision-log-upload-bytes";

function whole(values: Values, name: NumberFlag, fallback: number, least: number, most: number): number {
  const value = values[name];
  if (value === undefined) return fallback;
  const number = /^\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new FlagError(
    `--${name} ${JSON.stringify(value.slice(0, 64))}: must be a number from ${least} to ${most}`,
  );
}
