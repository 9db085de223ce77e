/** Bundles main.ts and everything it imports into `dist/`: `node images/shieldx/bundle.ts [FOLDER]`. */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..", "..");

/**
 * Of undici only the Agent is used; its index brings fetch, WebSocket, caches and mocks along, 40 % of all code. An
 * import of anything else fails the build: name it here.
 */
const undiciAgentOnly: Plugin = {
  name: "undici-agent-only",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: "undici", namespace: "agent-only" }));
    onLoad({ filter: /.*/, namespace: "agent-only" }, () => ({
      // As its own index does it: what a dispatcher can be asked for is put on it from outside.
      contents: [
        'import Dispatcher from "undici/lib/dispatcher/dispatcher.js";',
        'import * as api from "undici/lib/api/index.js";',
        "Object.assign(Dispatcher.prototype, api.default ?? api);",
        'export { default as Agent } from "undici/lib/dispatcher/agent.js";',
      ].join("\n"),
      resolveDir: root,
    }));
  },
};

/** zod brings its messages in fifty languages along, a third of its code; we say what we have to say ourselves. */
const zodInEnglishOnly: Plugin = {
  name: "zod-in-english-only",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\.\/locales\/index\.js$/ }, () => ({ path: "locales", namespace: "no-locales" }));
    onLoad({ filter: /.*/, namespace: "no-locales" }, () => ({ contents: "export {};" }));
  },
};

/** How everything that ships is bundled: ES modules that need nothing but Node. */
export const forNode = {
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node24",
  conditions: ["node"],
  minifySyntax: true,
  minifyWhitespace: true,
  // CommonJS dependencies call require for Node's own modules, which an ES module does not have.
  banner: { js: 'import{createRequire as __r}from"node:module";const require=__r(import.meta.url);' },
  metafile: true,
  logLevel: "warning",
} satisfies BuildOptions;

/**
 * Writes `shieldx.mjs`, its chunks, `package.json` (the version) and third-party licence texts into `folder`, emptied
 * before. Returns the paths of all sources that went in, relative to the checkout.
 */
export async function bundle(folder: string): Promise<string[]> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { shieldx: "images/shieldx/main.ts" },
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    splitting: true,
    legalComments: "linked",
    plugins: [undiciAgentOnly, zodInEnglishOnly],
    ...forNode,
  });
  const { version } = JSON.parse(await readFile(join(root, "operator", "package.json"), "utf8")) as {
    version: string;
  };
  await writeFile(
    join(folder, "package.json"),
    `${JSON.stringify({ name: "shieldx", version, type: "module", private: true })}\n`,
  );
  return Object.keys(metafile.inputs).sort();
}

if (import.meta.main) {
  const folder = process.argv[2] ?? join(import.meta.dirname, "dist");
  const inputs = await bundle(folder);
  process.stdout.write(`bundled ${inputs.length} files into ${folder}\n`);
}
