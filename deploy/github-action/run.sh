#!/usr/bin/env bash
# Runs shieldctl policy check, test or lint: findings as a table in the log and the summary, and as SARIF. Environment: see action.yml.
set -euo pipefail

fail() { echo "::error title=ShieldX::$1"; exit 2; }

# The bash of macOS has no mapfile.
lines=()
read_lines() { # read_lines TEXT: its lines that are not blank, into $lines
  lines=()
  while IFS= read -r line; do
    line="${line#"${line%%[![:space:]]*}"}"
    line="${line%"${line##*[![:space:]]}"}"
    [ -z "$line" ] || lines+=("$line")
  done <<< "$1"
}

[[ $SARIF_FILE != *$'\n'* && -n $SARIF_FILE ]] || fail "sarif-file: must be one path"
read_lines "${POLICIES:-}"
[ ${#lines[@]} -gt 0 ] || fail "policies: name files or folders, one a line"
policies=("${lines[@]}")
read_lines "${FILES:-}"
files=(${lines[@]+"${lines[@]}"})

arguments=()
[ -z "${KUBERNETES_VERSION:-}" ] || arguments+=("--kubernetes-version=$KUBERNETES_VERSION")
[ -z "${FAIL_ON:-}" ] || arguments+=("--fail-on=$FAIL_ON")
case ${COMMAND:-} in
  check)
    [ ${#files[@]} -gt 0 ] || fail "files: name the manifests to judge, one file or folder a line"
    for path in "${policies[@]}"; do arguments+=("--policies=$path"); done
    for path in "${files[@]}"; do arguments+=("--file=$path"); done ;;
  test)
    [ -z "${FAIL_ON:-}" ] || fail "fail-on: is for check and lint; a test that fails always fails"
    arguments+=(-- "${policies[@]}") ;;
  lint) arguments+=(-- "${policies[@]}") ;;
  *) fail "command: must be check, test or lint" ;;
esac

mkdir -p -- "$(dirname -- "$SARIF_FILE")"
report=$(mktemp "${RUNNER_TEMP:-/tmp}/shieldx-report-XXXXXX")
sarif=0
shieldctl policy "$COMMAND" --output=sarif "${arguments[@]}" > "$SARIF_FILE" 2>/dev/null || sarif=$?
code=0
shieldctl policy "$COMMAND" --output=table "${arguments[@]}" > "$report" 2>&1 || code=$?

# What others wrote into manifests must not be taken for a command to the runner.
token=$(node -p 'crypto.randomUUID()')
echo "::stop-commands::$token"
cat "$report"
echo "::$token::"
{
  echo "### shieldctl policy $COMMAND"
  echo
  # Indented, it is text whatever it holds.
  head -n 500 "$report" | cut -c 1-1000 | sed 's/^/    /'
} >> "$GITHUB_STEP_SUMMARY"

echo "exit-code=$code" >> "$GITHUB_OUTPUT"
if [ "$sarif" -le 1 ]; then echo "sarif-file=$SARIF_FILE" >> "$GITHUB_OUTPUT"; else rm -f -- "$SARIF_FILE"; fi
exit "$code"
