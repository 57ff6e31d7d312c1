#!/bin/sh
# Packs the runner, the agents' programs and the files of an instance: package.sh RUNNER PROGRAMS OUTPUT
#
# RUNNER is the program ioc-runner, PROGRAMS the folder `.local` that `make setup-test` fills, OUTPUT a tar.gz. Prints
# the SHA-256 that the template asks for. /opt/ioc-runner is where the package is unpacked.
set -eu
[ $# -eq 3 ] || { echo "usage: package.sh RUNNER PROGRAMS OUTPUT" >&2; exit 2; }
runner=$1 programs=$2 output=$3
own=$(cd "$(dirname "$0")" && pwd)

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/bin" "$folder/libexec"
cp "$runner" "$folder/bin/ioc-runner"
cp "$own"/instance/* "$folder/libexec/"
chmod 0755 "$folder/bin/ioc-runner" "$folder/libexec/drain" "$folder/libexec/install" "$folder/libexec/read-secrets"

present=
for name in opencode agents sandbox; do
  [ ! -d "$programs/$name" ] || present="$present $name"
done
[ -d "$programs/sandbox" ] || { echo "package.sh: $programs has no bubblewrap: run \`make setup\`" >&2; exit 1; }
[ "$present" != " sandbox" ] || { echo "package.sh: $programs has no agent: run \`make setup-test\`" >&2; exit 1; }

# Nobody of the machine that packs owns a file of the instance.
# shellcheck disable=SC2086 # the names are separate words
tar --create --gzip --file "$output" --owner=0 --group=0 --numeric-owner \
  --directory "$folder" bin libexec --directory "$(cd "$programs" && pwd)" $present
sha256sum "$output"
