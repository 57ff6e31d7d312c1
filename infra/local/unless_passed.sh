#!/bin/sh
# unless_passed.sh NAME INPUT... -- COMMAND...
#
# Runs a command, unless it passed before with the same inputs: files and folders of the checkout, as they lie there now.
# For `make check`, which is run after every edit; `make test` runs everything.
set -eu
name=$1 && shift
inputs=
while [ "$1" != -- ]; do inputs="$inputs $1" && shift; done
shift
# shellcheck disable=SC2086 # The inputs are words.
state=$(git ls-files --cached --others --exclude-standard -z -- $inputs | xargs -0 sha256sum 2>&1 | sha256sum)
passed=target/passed/$name
if [ "$(cat "$passed" 2>/dev/null)" = "$state" ]; then
  echo "$name: passed before with the same files"
  exit 0
fi
"$@"
mkdir -p target/passed && echo "$state" >"$passed"
