import type { Note, ObjectName } from "./foreign.ts";
import { at, isPlain, isTexts, type Plain, textAt } from "./plain.ts";

/**
 * One object that is being read, and what there is to say of it. A field of another type than it has to be is an error:
 * what is misread would be a policy that does something else.
 */
export class Source {
  readonly name: ObjectName;
  readonly object: Plain;
  readonly #notes: Note[];
  readonly #said = new Set<string>();
  #isFaulty = false;

  constructor(object: Plain, name: ObjectName, notes: Note[]) {
    this.object = object;
    this.name = name;
    this.#notes = notes;
  }

  /** Whether an error was told of it: nothing is to be made of it then. */
  get isFaulty(): boolean {
    return this.#isFaulty;
  }

  note(path: string, message: string): void {
    this.#say("note", path, message);
  }

  lost(path: string, message: string): void {
    this.#say("lost", path, message);
  }

  error(path: string, message: string): void {
    this.#isFaulty = true;
    this.#say("error", path, message);
  }

  /** Something is said once, however many policies are made of the object. */
  #say(severity: Note["severity"], path: string, message: string): void {
    const key = JSON.stringify([severity, path, message]);
    if (this.#said.has(key)) return;
    this.#said.add(key);
    this.#notes.push({ source: this.name, path, severity, message });
  }

  get(path: string): unknown {
    return at(this.object, ...path.split("."));
  }

  text(path: string): string | undefined {
    return this.#typed(path, "text", (value) => typeof value === "string");
  }

  flag(path: string): boolean | undefined {
    return this.#typed(path, "true or false", (value) => typeof value === "boolean");
  }

  record(path: string): Plain | undefined {
    return this.#typed(path, "an object", isPlain);
  }

  texts(path: string): readonly string[] | undefined {
    return this.#typed(path, "a list of texts", isTexts);
  }

  records(path: string): readonly Plain[] | undefined {
    return this.#typed(
      path,
      "a list of objects",
      (value) => Array.isArray(value) && value.every((item) => isPlain(item)),
    );
  }

  /** Tells of fields that are none of those. */
  known(path: string, names: readonly string[]): void {
    for (const [key, value] of Object.entries(this.record(path) ?? {}))
      if (!names.includes(key) && value !== undefined && value !== null)
        this.lost(
          `${path}.${key}`,
          "is not a field that can be carried over: look whether the policy needs it",
        );
  }

  #typed<T>(path: string, expected: string, is: (value: unknown) => boolean): T | undefined {
    const value = this.get(path);
    if (value === undefined) return undefined;
    if (is(value)) return value as T;
    this.error(path, `must be ${expected}: correct it`);
    return undefined;
  }
}

/** Undefined for what does not say what it is. */
export function objectNameOf(object: unknown): ObjectName | undefined {
  const apiVersion = textAt(object, "apiVersion");
  const kind = textAt(object, "kind");
  if (apiVersion === undefined || kind === undefined) return undefined;
  const namespace = textAt(object, "metadata", "namespace");
  const name = textAt(object, "metadata", "name") ?? "";
  return { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name };
}

export function groupOf({ apiVersion }: ObjectName): string {
  return apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
}
