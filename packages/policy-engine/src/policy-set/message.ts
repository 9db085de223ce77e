import { policyTitle } from "@shieldx/crds";
import type { Judge, Violation } from "./judgement.ts";
import type { FindingAction } from "./verdict.ts";

/** Keeps one answer well under what API server and clients show of a status message. */
export const maxMessageLength = 4096;

const verbs = {
  deny: "refuses",
  warn: "warns about",
  audit: "takes note of",
} as const satisfies Record<FindingAction, string>;

export interface MessageSubject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** Where the judged Pod sits in the object, `""` when it is the object. */
  readonly podPath: string;
}

/** `ShieldPolicy "p" (restricted:latest) refuses Pod "default/bad": privileged (…); hostPorts (…). See: …` */
export function violationMessage(
  policy: { readonly name: string; readonly judge: Pick<Judge, "basis" | "describe" | "hint"> },
  action: FindingAction,
  subject: MessageSubject,
  violations: readonly Violation[],
): string {
  const { basis, describe, hint } = policy.judge;
  const what = violations.map(describe).join("; ");
  const by = basis === "" ? "" : ` (${basis})`;
  const head = `${policyTitle(policy.name)}${by} ${verbs[action]} ${subjectName(subject)}: `;
  const tail = hint === "" ? "" : `. ${hint}`;
  return head + fit(oneLine(what), maxMessageLength - head.length - tail.length) + tail;
}

export function errorMessage(
  policy: { readonly name: string },
  subject: MessageSubject,
  problem: string,
): string {
  const head = `${policyTitle(policy.name)} could not be evaluated for ${subjectName(subject)}: `;
  return head + fit(oneLine(problem), maxMessageLength - head.length);
}

function subjectName({ kind, namespace, name, podPath }: MessageSubject): string {
  const full = oneLine(namespace === "" ? name : `${namespace}/${name}`);
  const title = `${oneLine(kind)} "${fit(full, 320)}"`;
  return podPath === "" ? title : `${title} (${podPath})`;
}

/** One line of at most `length` UTF-16 units, for what is stored or shown beside others' words. */
export function shownText(text: string, length: number): string {
  return oneLine(fit(text, length)).toWellFormed();
}

/** Details quote what people wrote; a line break or escape sequence in it must not forge a log line. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ");
}

function fit(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, Math.max(0, length - 1)).toWellFormed()}…`;
}
