# Makes the workspace of one run and reports where it is. Run twice, or at once, or after a cut, it comes to the same.

main() {
  hold
  if recall && [ -d "$work" ] && { [ "$ready_run" = "$run" ] || [ "$kept" = 1 ]; }; then
    # The same run again, or a run that goes on with the files of the one before.
    remember
    answer
    return
  fi
  base=$asked_base
  prefix=
  locate
  build
  remember
  answer
}

answer() {
  report worktree "$work"
  report directory "$work${prefix:+/$prefix}"
  report base "$base"
  report repository "$repo"
  [ -s "$meta/session-$run" ] && report session "$(cat -- "$meta/session-$run")"
}

remember() {
  printf '%s\n%s\n%s\n%s\n' "$run" "$base" "$repo" "$prefix" >"$meta/ready.new" && mv -f -- "$meta/ready.new" "$meta/ready"
}

locate() {
  if [ -n "$repository" ]; then
    fetched
    prefix=${directory%/}
    [ "$prefix" != . ] || prefix=
  elif [ -n "$directory" ]; then
    taken
  else
    made
    : "${base:=$(blank)}"
  fi
}

# A repository by URL: one bare copy per tenant, fetched. Only the remote's refs are mirrored, so fetching never touches
# the sessions' own branches.
fetched() {
  repo="$root/$tenant/.repos/$repository_key.git"
  exclusive "$repo"
  bare "$repo"
  [ -n "$base" ] && has "$base" && return
  local heads='+refs/heads/*:refs/remotes/origin/*' tags='+refs/tags/*:refs/tags/*' said
  said=$(fetch "$heads" "$tags" '+HEAD:refs/ioc/default' 2>&1) || case $said in
    *"remote ref HEAD"*) said=$(fetch "$heads" "$tags" 2>&1) || fail FETCH "$said" ;;
    *) fail FETCH "$said" ;;
  esac
  if [ -n "$base" ]; then
    has "$base" || fetch "$base" >/dev/null 2>&1
    has "$base" && return
  fi
  case $reference in
    "") base=$(commit refs/ioc/default) || fail REFERENCE "the repository has no default branch with a commit: name a ref" ;;
    refs/*) said=$(fetch "+$reference:refs/ioc/asked/$session" 2>&1) || fail FETCH "$said"
      base=$(commit "refs/ioc/asked/$session") || fail REFERENCE "$reference names no commit" ;;
    *) base=$(commit "refs/remotes/origin/$reference" || commit "refs/tags/$reference" || exact) \
      || fail REFERENCE "the repository has no branch, tag or commit $reference" ;;
  esac
}

fetch() { git --git-dir="$repo" fetch --quiet --prune --no-tags --no-recurse-submodules "$repository" "$@"; }

commit() { git --git-dir="$repo" rev-parse -q --verify "$1^{commit}" 2>/dev/null; }

has() { git --git-dir="$repo" cat-file -e "$1^{commit}" 2>/dev/null; }

# A commit by its own name; a server may hand out one that no branch leads to.
exact() {
  case $reference in *[!0-9a-f]*) return 1 ;; esac
  [ "${#reference}" -ge 7 ] || return 1
  commit "$reference" && return
  [ -n "$repository" ] && [ "${#reference}" -ge 40 ] && fetch "$reference" >/dev/null 2>&1 && commit "$reference"
}

# A directory of this machine: a worktree of the git repository that it is in, or a copy.
taken() {
  local place top
  place=$(realpath -m -- "$directory")
  inside "$place" || fail DIRECTORY_FORBIDDEN "$directory is not under a directory that sessions may use"
  [ -d "$place" ] || fail DIRECTORY_MISSING "$directory is no directory"
  case "$place/" in "$root"/*) fail DIRECTORY_FORBIDDEN "$directory holds the workspaces of sessions" ;; esac
  top=$(git -C "$place" rev-parse --show-toplevel 2>&1) && top=$(realpath -e -- "$top") && inside "$top" || {
    [ ! -e "$place/.git" ] || fail FETCH "$top"
    copied "$place"
    return
  }
  repo=$(git -C "$top" rev-parse --path-format=absolute --git-common-dir) || fail FETCH "cannot read $directory"
  prefix=$(git -C "$place" rev-parse --show-prefix)
  prefix=${prefix%/}
  exclusive "$repo"
  [ -n "$base" ] && has "$base" && return
  case $reference in
    "") base=$(commit HEAD) || fail REFERENCE "the repository of $directory has no commit" ;;
    *) base=$(commit "refs/heads/$reference" || commit "refs/remotes/origin/$reference" || commit "refs/tags/$reference" \
      || exact) || fail REFERENCE "the repository of $directory has no branch, tag or commit $reference" ;;
  esac
}

inside() {
  local allowed
  for allowed in "${roots[@]}"; do
    allowed=$(realpath -e -- "$allowed" 2>/dev/null) || continue
    case "$1/" in "${allowed%/}"/*) return 0 ;; esac
  done
  return 1
}

# The files of a plain directory become the base commit of a repository of the session's own. A git repository within it
# is left out: name that one instead.
copied() {
  case "$root/" in "$1"/*) fail DIRECTORY_FORBIDDEN "$directory holds the workspaces of sessions" ;; esac
  made
  [ -n "$base" ] && return
  base=$(commit refs/ioc/base) && return
  local tree
  rm -f -- "$meta/base-index"
  GIT_INDEX_FILE="$meta/base-index" git --git-dir="$repo" --work-tree="$1" -C "$1" add -A -f 2>"$meta/said" \
    || fail FETCH "$(head -c 1000 "$meta/said")"
  tree=$(GIT_INDEX_FILE="$meta/base-index" git --git-dir="$repo" write-tree)
  base=$(commit_tree "$repo" "$tree" -m "ioc: The directory as it was found")
  git --git-dir="$repo" update-ref refs/ioc/base "$base"
}

# A repository of the session's own. A fork takes its base from the repository of the session that it was forked from.
made() {
  repo="$root/$tenant/.repos/$session.git"
  bare "$repo"
  if [ -n "$base" ] && ! has "$base"; then
    case $source_repository in
      "$root/$tenant/.repos/"*) git --git-dir="$repo" fetch --quiet "$source_repository" '+refs/*:refs/ioc/source/*' 2>/dev/null ;;
    esac
    has "$base" || base=
  fi
}

# The same commit each time: author, date and tree never differ, whatever is configured.
blank() {
  GIT_AUTHOR_NAME=ioc GIT_AUTHOR_EMAIL=ioc@localhost GIT_AUTHOR_DATE='@0 +0000' \
    GIT_COMMITTER_NAME=ioc GIT_COMMITTER_EMAIL=ioc@localhost GIT_COMMITTER_DATE='@0 +0000' git --git-dir="$repo" commit-tree \
    "$(git --git-dir="$repo" mktree </dev/null)" -m "ioc: Nothing yet"
}

bare() {
  [ -d "$1" ] && return
  local fresh="$1.$$"
  mkdir -p -- "${1%/*}"
  git init --quiet --bare "$fresh" || fail ROOT_UNUSABLE "cannot make a repository"
  mv -T -- "$fresh" "$1" 2>/dev/null || rm -rf -- "$fresh"
}

# Sessions that share a repository prepare one after the other.
exclusive() {
  mkdir -p -- "$root/.locks"
  exec 8>"$root/.locks/$(printf '%s' "$1" | sha256sum | cut -c1-32)"
  flock -w "$patience" 8 || fail WORKSPACE_BUSY "the repository is being fetched by another call"
}

build() {
  local said
  if [ -n "$patch_key" ] && [ "$(find "$meta/patch-$patch_key" -name 'piece-??????' 2>/dev/null | wc -l)" -ne "$pieces" ]; then
    report wanted patch # it is sent only where it is needed
    exit
  fi
  if [ -e "$work" ]; then
    # Left by an earlier run, or half made: what it holds is kept on a ref before it goes.
    [ -f "$meta/ready" ] && save >/dev/null 2>&1
    discard
  fi
  keep
  rm -f -- "$meta/index"
  said=$(git --git-dir="$repo" worktree add --quiet --force -B "ioc/$session" "$work" "$base" 2>&1) \
    || { discard; fail FETCH "$said"; }
  identify || { discard; fail WORKSPACE_BUSY "the repository cannot be configured"; }
  if [ -n "$prefix" ] && [ ! -d "$work/$prefix" ]; then
    discard
    fail DIRECTORY_MISSING "the repository has no directory $prefix"
  fi
  # A link in the repository must not lead the agent's start folder out of it.
  case "$(realpath -e -- "$work/$prefix")/" in "$work"/*) ;; *) discard; fail DIRECTORY_FORBIDDEN "$prefix leads out of the repository" ;; esac
  [ -z "$patch_key" ] || patched
}

patched() {
  local whole="$meta/patch-$patch_key/whole" said
  cat -- "$meta/patch-$patch_key/"piece-* >"$whole"
  [ "$(sha256sum <"$whole" | cut -c1-64)" = "$patch_key" ] || { discard; fail WORKSPACE_BUSY "the stored patch did not arrive whole"; }
  said=$(git -C "$work" apply --whitespace=nowarn "$whole" 2>&1) \
    || said=$(git -C "$work" apply --3way --whitespace=nowarn "$whole" 2>&1) \
    || { discard; fail PATCH "$said"; }
  rm -rf -- "$meta/patch-$patch_key"
}

main </dev/null
