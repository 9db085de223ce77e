// Who reads only charts/install.yaml removes it as the guide does.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { installManifestPath } from "../../shieldx/install-manifest.ts";
import { commandBlocks } from "./markdown.ts";

const guide = new URL("../../../docs/guides/uninstall.md", import.meta.url).pathname;

it("is removed by the same commands as in the guide", () => {
  const head = readFileSync(installManifestPath, "utf8").split("\n---\n")[0] ?? "";
  const commands = head.split("\n").flatMap((line) => /^# {3}(.*)$/.exec(line)?.[1] ?? []);
  const block = commandBlocks(readFileSync(guide, "utf8")).find(({ heading }) =>
    heading.includes("install.yaml"),
  );
  const removal = block?.script.replace("charts/install.yaml", "install.yaml").split("\n");
  expect(commands).toEqual(["kubectl apply --server-side -f install.yaml", ...(removal ?? [])]);
});
