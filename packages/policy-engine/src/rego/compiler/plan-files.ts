/** Plans in a folder, so that who starts again need not compile again. Losing one is no harm: nothing here throws. */
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PlanCache } from "./compiler.ts";

export interface PlanFilesOptions {
  readonly folder: string;
  /** Of all plans together; the least recently used go first. Default 64 MiB. */
  readonly mostBytes?: number;
  /** Told when the folder cannot be used; once, until it can. */
  readonly onTrouble?: (error: unknown) => void;
}

const defaultMostBytes = 64 * 1024 * 1024;
/** Only such are ours: files of others in the folder are left alone. */
const planFile = /^[0-9a-f]{64}\.plan\.json$/;

export class PlanFiles implements PlanCache {
  readonly #folder: string;
  readonly #mostBytes: number;
  readonly #onTrouble: (error: unknown) => void;
  #isTroubled = false;
  #written = 0;

  constructor({ folder, mostBytes = defaultMostBytes, onTrouble = () => {} }: PlanFilesOptions) {
    this.#folder = folder;
    this.#mostBytes = mostBytes;
    this.#onTrouble = onTrouble;
  }

  async get(digest: string): Promise<string | undefined> {
    const file = this.#fileOf(digest);
    return this.#patiently(async () => {
      if ((await stat(file)).size > this.#mostBytes) return undefined;
      const plan = await readFile(file, "utf8");
      const now = new Date();
      await utimes(file, now, now);
      return plan;
    });
  }

  async put(digest: string, plan: string): Promise<void> {
    if (plan.length > this.#mostBytes / 4) return;
    const file = this.#fileOf(digest);
    // Another process may write the same plan into the same folder: whoever is last wins, and nobody sees half of it.
    const draft = `${file}.${process.pid}-${this.#written++}`;
    await this.#patiently(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeFile(draft, plan, { mode: 0o600 });
      await rename(draft, file);
      await this.#makeRoom();
    });
  }

  #fileOf(digest: string): string {
    return join(this.#folder, `${digest}.plan.json`);
  }

  async #makeRoom(): Promise<void> {
    const names = (await readdir(this.#folder)).filter((name) => planFile.test(name));
    const files = await Promise.all(
      names.map(async (name) => ({
        path: join(this.#folder, name),
        ...sizeOf(await stat(join(this.#folder, name))),
      })),
    );
    let bytes = files.reduce((sum, { size }) => sum + size, 0);
    for (const { path, size } of files.sort((a, b) => a.usedAt - b.usedAt)) {
      if (bytes <= this.#mostBytes) return;
      await rm(path, { force: true });
      bytes -= size;
    }
  }

  async #patiently<T>(act: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await act();
      this.#isTroubled = false;
      return result;
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      if (!this.#isTroubled) this.#onTrouble(error);
      this.#isTroubled = true;
      return undefined;
    }
  }
}

function sizeOf({ size, mtimeMs }: { readonly size: number; readonly mtimeMs: number }) {
  return { size, usedAt: mtimeMs };
}
