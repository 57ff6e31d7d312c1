#!/bin/sh
# Names everything that must be on the machine beforehand and is not, with a remedy for each, in one message.
# All else is fetched by setup.py.
set -u

missing=""

lacks() { # lacks WHAT REMEDY
  missing="$missing
  - $1: $2"
}

has() { command -v "$1" >/dev/null 2>&1; }

# Whether a version such as v22.4.1 is at least MAJOR.MINOR.
at_least() { # at_least VERSION MAJOR MINOR
  printf '%s\n' "$1" | awk -v major="$2" -v minor="$3" -F '[^0-9]+' '
    { at = ($1 == "") ? 2 : 1; exit !($at > major || ($at == major && $(at + 1) >= minor)) }'
}

compiles() {
  folder=$(mktemp -d) || return 1
  printf '#include <stdlib.h>\nint main(void) { return 0; }\n' >"$folder/a.c"
  cc "$folder/a.c" -o "$folder/a" >/dev/null 2>&1
  status=$?
  rm -rf "$folder"
  return $status
}

# pip serves as well as venv's own; root on Debian gets python3-venv from setup.py.
makes_venvs() {
  "$python" -c 'import venv, ensurepip' 2>/dev/null || "$python" -m pip --version >/dev/null 2>&1 \
    || { [ "$(id -u)" = 0 ] && has apt-get; }
}

has git || lacks git "install it with your package manager (Debian: apt-get install git)"
has make || lacks make "install it with your package manager (Debian: apt-get install make)"

compiles || lacks "a C compiler with the headers of the C library" \
  "install cc (Debian: apt-get install gcc libc6-dev; macOS: xcode-select --install)"

if ! has cargo; then
  lacks "cargo 1.95 or newer" "install Rust with rustup, or with your package manager"
elif version=$(cargo --version 2>&1) && version=${version#cargo }; ! at_least "$version" 1 95; then
  lacks "cargo 1.95 or newer (here: $version)" "install a newer Rust: rustup update stable"
fi

if ! has node; then
  lacks "Node.js 20.19 or newer" "install it with your package manager (Debian: apt-get install nodejs npm)"
elif version=$(node --version 2>&1); ! at_least "$version" 20 19; then
  lacks "Node.js 20.19 or newer (here: $version)" "install a newer Node.js"
fi
has npm || lacks npm "it comes with Node.js (Debian: apt-get install npm)"

python=${PYTHON:-python3}
if ! has "$python"; then
  lacks "python3, 3.9 or newer, with venv" "install it with your package manager (Debian: apt-get install python3 python3-venv)"
elif version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>&1); ! at_least "$version" 3 9; then
  lacks "python3, 3.9 or newer (here: $version)" "install a newer Python"
elif [ -z "${DATABASE_URL:-}" ] || [ -z "${REDIS_URL:-}" ]; then
  makes_venvs || lacks "venv for $python" "install it (Debian: apt-get install python3-venv)"
fi

if [ -n "$missing" ]; then
  echo "setup: This machine lacks what ioc needs beforehand. Install it, then try again:$missing" >&2
  exit 1
fi
