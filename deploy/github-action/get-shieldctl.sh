#!/usr/bin/env bash
# Puts the shieldctl of a release on PATH, verified by the digest that the workflow names. Environment: see action.yml.
set -euo pipefail

fail() { echo "::error title=ShieldX::$1"; exit 1; }

if [ -z "${DOWNLOAD_URL:-}" ]; then
  command -v shieldctl >/dev/null ||
    fail "shieldctl is not on PATH: set download-url and shieldctl-sha256, or install it in a step before"
  exit 0
fi
[[ $DOWNLOAD_URL == https://* ]] || fail "download-url: must begin with https://"
[[ ${SHIELDCTL_SHA256:-} =~ ^[0-9a-f]{64}$ ]] ||
  fail "shieldctl-sha256: must be the 64 hexadecimal digits that the release's SHA256SUMS has for shieldctl"
[[ ${REGO_COMPILER_SHA256:-} =~ ^([0-9a-f]{64})?$ ]] ||
  fail "rego-compiler-sha256: must be the 64 hexadecimal digits that the release's SHA256SUMS has for rego-compiler.wasm"

digest() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}

folder=$(mktemp -d "${RUNNER_TEMP:-/tmp}/shieldx-XXXXXX")
get() { # get FILE DIGEST
  curl --fail --silent --show-error --location --proto '=https' --proto-redir '=https' --retry 3 --max-time 300 \
    --output "$folder/$1" -- "${DOWNLOAD_URL%/}/$1" || fail "download-url: $1 could not be downloaded"
  [ "$(digest "$folder/$1")" = "$2" ] || { rm -f "$folder/$1"; fail "$1 has another digest than the one given: it is not used"; }
}

get shieldctl "$SHIELDCTL_SHA256"
chmod +x "$folder/shieldctl"
# shieldctl looks for it beside itself.
[ -z "${REGO_COMPILER_SHA256:-}" ] || get rego-compiler.wasm "$REGO_COMPILER_SHA256"
echo "$folder" >> "$GITHUB_PATH"
