# Reports what the work came to against the base: one patch, whole up to a limit, and the names of all changed files.

main() {
  hold
  recall || repo=$known_repository base=$known_base
  [ -d "$repo" ] || fail WORKSPACE_GONE "the workspace was given back"
  local tree patch="$meta/patch.$$"
  if [ -d "$work" ]; then
    tree=$(snapshot) || fail FETCH "cannot read the workspace"
  else
    tree=$(git --git-dir="$repo" rev-parse -q --verify "refs/heads/ioc/$session^{tree}") \
      || fail WORKSPACE_GONE "the workspace was given back"
  fi
  difference "$tree" >"$patch" || fail FETCH "cannot compare with $base"
  iconv -f UTF-8 -t UTF-8 <"$patch" >/dev/null 2>&1 || each_alone "$tree" >"$patch"
  printf '\n@ioc size %s\n' "$(wc -c <"$patch" | tr -d ' \n' | base64)"
  printf '\n@ioc patch %s\n' "$(head -c "$limit" "$patch" | base64 | tr -d '\n')"
  if [ "$(wc -c <"$patch")" -gt "$limit" ]; then
    printf '\n@ioc names %s\n' \
      "$(git --git-dir="$repo" diff --no-renames --name-status -z "$base" "$tree" | head -c "$limit" | base64 | tr -d '\n')"
  fi
  rm -f -- "$patch"
}

difference() {
  local tree=$1
  shift
  git --git-dir="$repo" -c core.quotePath=true -c diff.noprefix=false -c diff.mnemonicPrefix=false -c core.attributesFile="$meta/attributes" \
    diff --binary --full-index --no-color --no-ext-diff --no-textconv --src-prefix=a/ --dst-prefix=b/ --find-renames "$base" "$tree" "$@"
}

# A patch travels as UTF-8 text; a file in another encoding goes as a binary one.
each_alone() {
  local path one="$meta/one.$$"
  git --git-dir="$repo" diff --no-renames --name-only -z "$base" "$1" | while IFS= read -r -d '' path; do
    rm -f -- "$meta/attributes"
    difference "$1" --no-renames -- ":(top,literal)$path" >"$one"
    if ! iconv -f UTF-8 -t UTF-8 <"$one" >/dev/null 2>&1; then
      printf '* -diff\n' >"$meta/attributes"
      difference "$1" --no-renames -- ":(top,literal)$path" >"$one"
    fi
    cat -- "$one"
  done
  rm -f -- "$one" "$meta/attributes"
}

main </dev/null
