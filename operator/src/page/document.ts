import { createHash } from "node:crypto";
import { SCRIPT, STYLE } from "./generated/assets.ts";

/** A section of the page: the script fills what is in the container `<id>-content`. */
const sections = [
  ["overview", "Overview"],
  ["history", "Violations over time"],
  ["policies", "Policies"],
  ["namespaces", "Namespaces"],
  ["owners", "Owners"],
  ["rollouts", "Rollouts"],
  ["exceptions", "Exceptions"],
] as const;

const links = sections.map(([id, title]) => `<li><a href="#${id}">${title}</a></li>`).join("");
const bodies = sections
  .map(
    ([id, title]) =>
      `<section aria-labelledby="${id}"><h2 id="${id}" tabindex="-1">${title}</h2><div id="${id}-content"></div></section>`,
  )
  .join("\n");

/** One document with its own style and script, and without anything of the cluster: anybody may read it. */
export const DOCUMENT = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>ShieldX</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<p class="brand">ShieldX</p>
<p id="state" role="status"></p>
<button type="button" id="sign-out" hidden>Forget the token</button>
</header>
<main id="main" tabindex="-1">
<h1 id="title" tabindex="-1">Policies of this cluster</h1>
<noscript><p class="alert">This page needs JavaScript, all of which is in it.</p></noscript>
<form id="sign-in" method="dialog" hidden>
<p>Who may see what policies find shows a token of the cluster. It is kept in the memory of this tab only.</p>
<label for="token">Token</label>
<input id="token" type="password" autocomplete="off" autocapitalize="none" spellcheck="false" required aria-describedby="token-help problem">
<p id="token-help">Make one with <code>kubectl create token NAME --namespace NAMESPACE</code>, for a ServiceAccount that has the
ClusterRole <code>shieldx-page-reader</code>; the ID token of a user of the cluster will do as well.</p>
<button type="submit">Show</button>
</form>
<p id="problem" role="alert" class="alert" hidden></p>
<div id="content" hidden>
<nav aria-label="Sections"><ul>${links}</ul></nav>
${bodies}
</div>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;

/** CSP Level 3, "hash-source": only these two texts are run and applied, whatever may get into the document. */
function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

export const DOCUMENT_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": [
    "default-src 'none'",
    `script-src ${hashOf(SCRIPT)}`,
    `style-src ${hashOf(STYLE)}`,
    "img-src data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // No text can become markup, not even by mistake (W3C Trusted Types).
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};
