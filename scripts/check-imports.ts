// Fails when an import points the wrong way (docs/adr/0001-layout.md).
// Libraries know nothing of the shells; shells do not know each other;
// only images/ and e2e/ may join shells together. Tests may use e2e/.
import { globSync, readFileSync } from "node:fs";
import { dirname, normalize } from "node:path";

const mayImport: Record<string, readonly string[]> = {
  "packages/controller-runtime": [],
  "packages/dot-i-operator": ["packages/controller-runtime"],
  "packages/pki": [],
  "packages/telemetry": ["packages/controller-runtime"],
  "packages/policy-engine": ["crds"],
  crds: [],
  operator: ["packages/*", "crds"],
  webhooks: ["packages/*", "crds"],
  cli: ["packages/*", "crds"],
  images: ["operator", "webhooks"],
  e2e: ["packages/*", "crds", "images"],
  bench: ["packages/*", "crds", "e2e", "images"],
  // A release is made of the image and the rendered chart, which e2e/ can build without Docker or a registry.
  scripts: ["packages/*", "crds", "operator", "webhooks", "cli", "images", "e2e"],
};

const roomOfPackage: Record<string, string> = {
  "@shieldx/controller-runtime": "packages/controller-runtime",
  "@shieldx/dot-i-operator": "packages/dot-i-operator",
  "@shieldx/pki": "packages/pki",
  "@shieldx/telemetry": "packages/telemetry",
  "@shieldx/policy-engine": "packages/policy-engine",
  "@shieldx/crds": "crds",
  "@shieldx/operator": "operator",
  "@shieldx/webhooks": "webhooks",
  "@shieldx/cli": "cli",
  "@shieldx/e2e": "e2e",
};

const importPattern =
  /(?:^|\n)\s*(?:import|export)\b[^;]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(\s*["']([^"']+)["']/g;

function roomOf(path: string): string | undefined {
  return Object.keys(mayImport).find((room) => path === room || path.startsWith(`${room}/`));
}

function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return roomOf(normalize(`${dirname(file)}/${specifier}`));
  const name = Object.keys(roomOfPackage).find((p) => specifier === p || specifier.startsWith(`${p}/`));
  return name === undefined ? undefined : roomOfPackage[name];
}

function allows(room: string, to: string, isTest: boolean): boolean {
  if (room === to) return true;
  // A test may start a real cluster, and the real processes beside it.
  if (isTest && (to === "e2e" || to === "images")) return true;
  return (mayImport[room] ?? []).some(
    (rule) => rule === to || (rule === "packages/*" && to.startsWith("packages/")),
  );
}

const wrong: string[] = [];
const files = globSync("{packages,crds,operator,webhooks,cli,images,e2e,bench,scripts}/**/*.ts").filter(
  (f) => !f.includes("node_modules") && !f.includes("/generated/") && !f.includes("/dist/"),
);
for (const file of files) {
  const room = roomOf(file);
  if (room === undefined) continue;
  for (const match of readFileSync(file, "utf8").matchAll(importPattern)) {
    const to = target(file, match[1] ?? match[2] ?? "");
    if (to !== undefined && !allows(room, to, /\.test(-kit)?\.ts$|\/testing\//.test(file)))
      wrong.push(`${file}: ${room} must not import ${to}`);
  }
}
for (const line of wrong) console.error(line);
console.log(`import direction: ${files.length} files, ${wrong.length} wrong`);
process.exitCode = wrong.length === 0 ? 0 : 1;
