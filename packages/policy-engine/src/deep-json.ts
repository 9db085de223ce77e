import { isJsonList, isJsonRecord, type Json } from "./cel/kubernetes/json.ts";
import { exactJsonText } from "./exact-json.ts";

/** As `exactJsonText`, however deep: custom resources may nest 10,000 levels, which is more than the stack takes. */
export function deepJsonText(value: unknown): string {
  try {
    return exactJsonText(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return writtenOnNoStack(value as Json);
  }
}

/** Text, as it is, stands in a list of its own between values that are still to be written. */
type Part = { readonly value: Json } | { readonly text: string };

function writtenOnNoStack(root: Json): string {
  const written: string[] = [];
  const open: Part[] = [{ value: root }];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    if ("text" in part) written.push(part.text);
    else if (isJsonList(part.value)) openList(part.value, open);
    else if (isJsonRecord(part.value)) openRecord(part.value, open);
    else written.push(exactJsonText(part.value));
  }
  return written.join("");
}

/** The last comes first. */
function openList(list: readonly Json[], open: Part[]): void {
  open.push({ text: "]" });
  for (let at = list.length - 1; at >= 0; at--)
    open.push({ value: list[at] ?? null }, { text: at === 0 ? "" : "," });
  open.push({ text: "[" });
}

function openRecord(record: object, open: Part[]): void {
  open.push({ text: "}" });
  const members = Object.entries(record).filter(([, value]) => value !== undefined);
  for (const [at, [key, value]] of [...members.entries()].reverse())
    open.push({ value: value as Json }, { text: `${at === 0 ? "" : ","}${JSON.stringify(key)}:` });
  open.push({ text: "{" });
}
