# What every script stands on. Values come before this text as quoted assignments; what is to be known comes out as
# `@ioc <key> <base64>` lines, so that nothing else on the output can be taken for it.

report() { printf '\n@ioc %s %s\n' "$1" "$(printf '%s' "$2" | base64 | tr -d '\n')"; }

fail() {
  report error "$1"
  report message "$2"
  exit 1
}

# gc would outlive us holding our locks; hooks and a monitor are the project's own business, not ours to run.
git() {
  command git -c gc.auto=0 -c maintenance.auto=false -c core.hooksPath=/dev/null -c core.fsmonitor=false \
    -c commit.gpgSign=false -c advice.detachedHead=false -c advice.addEmbeddedRepo=false -c core.safecrlf=false \
    "$@" 8>&- 9>&-
}

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY
export LC_ALL=C GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0
export GIT_SSH_COMMAND="${GIT_SSH_COMMAND:-ssh -oBatchMode=yes -oConnectTimeout=20}"

for tool in git flock base64 realpath sha256sum; do
  command -v "$tool" >/dev/null || fail MACHINE_UNFIT "the agent's machine lacks the command $tool"
done

mkdir -p -- "$root/$tenant" 2>/dev/null || fail ROOT_UNUSABLE "cannot make the workspace root"
root=$(realpath -e -- "$root")
work="$root/$tenant/$session"
meta="$root/$tenant/.ioc/$session"

# One script at a time per session. The lock's folder may be released while we wait for it: then take the new one.
hold() {
  while :; do
    mkdir -p -- "$meta"
    exec 9>"$meta/lock"
    flock -w "$patience" 9 || fail WORKSPACE_BUSY "the workspace is being prepared by another call"
    [ "$meta/lock" -ef /dev/fd/9 ] && return
  done
}

# What `ready` remembers of a prepared workspace: run, base, repository and the folder in it, a line each.
recall() {
  [ -f "$meta/ready" ] || return 1
  { IFS= read -r ready_run; IFS= read -r base; IFS= read -r repo; IFS= read -r prefix; } <"$meta/ready"
}

# Changes the configuration of the repository. Another session's script may hold the file for a moment.
configure() {
  local try
  for try in 1 2 3 4 5 6 7 8 9 10; do
    git --git-dir="$repo" config "$@" 2>/dev/null && return
    sleep 0.1
  done
  return 1
}

# The condition under which git reads the identity below: in this session's worktree alone, so that nobody else who works
# in the repository has it.
own_worktree() { printf 'includeIf.gitdir:worktrees/%s*' "$session"; }

# Gives the workspace an identity where neither its repository nor the machine has one, so that the agent can commit.
identify() {
  local file="$meta/identity"
  rm -f -- "$file"
  [ -n "$(command git -C "$work" config --get user.name)" ] || git config --file "$file" user.name "$git_name"
  [ -n "$(command git -C "$work" config --get user.email)" ] || git config --file "$file" user.email "$git_email"
  [ ! -f "$file" ] || configure "$(own_worktree).path" "$file"
}

# Commits a tree as whoever the repository or the machine is configured for, else with the identity of workspaces.
commit_tree() { # commit_tree PLACE TREE ARGUMENT...: PLACE is a repository or a worktree
  local place=$1 name email
  shift
  name=$(command git -C "$place" config --get user.name 2>/dev/null) || name=$git_name
  email=$(command git -C "$place" config --get user.email 2>/dev/null) || email=$git_email
  git --git-dir="$repo" -c user.name="$name" -c user.email="$email" commit-tree "$@"
}

# A tree of all files as they stand, made with an index of our own: the agent's index, HEAD and even its `.git` do not
# matter. The index is kept, as its stat cache saves hashing everything again.
snapshot() {
  local index="$meta/index.$$" try
  cp -- "$meta/index" "$index" 2>/dev/null || GIT_INDEX_FILE="$index" git --git-dir="$repo" read-tree "$base" || return 1
  for try in 1 2 3; do # a file may vanish while we read
    GIT_INDEX_FILE="$index" git --git-dir="$repo" --work-tree="$work" -C "$work" add -A --ignore-errors 2>/dev/null && break
  done
  GIT_INDEX_FILE="$index" git --git-dir="$repo" write-tree && mv -f -- "$index" "$meta/index"
}

# Puts everything that stands in the workspace on the session's branch: the agent's commits, and what it left
# uncommitted as one commit more. What the branch held before stays reachable under refs/ioc/kept.
save() {
  local tree parent tip old
  tree=$(snapshot) || return 1
  parent=$(command git -C "$work" rev-parse -q --verify HEAD 2>/dev/null)
  git --git-dir="$repo" cat-file -e "$parent^{commit}" 2>/dev/null || parent=$base
  tip=$parent
  if [ "$tree" != "$(git --git-dir="$repo" rev-parse "$parent^{tree}")" ]; then
    tip=$(commit_tree "$work" "$tree" -p "$parent" -m "ioc: Work of session $session") || return 1
  fi
  keep
  git --git-dir="$repo" update-ref "refs/heads/ioc/$session" "$tip"
}

keep() {
  old=$(git --git-dir="$repo" rev-parse -q --verify "refs/heads/ioc/$session") || return 0
  git --git-dir="$repo" update-ref "refs/ioc/kept/$session/$old" "$old"
}

discard() {
  git --git-dir="$repo" worktree remove --force --force "$work" 2>/dev/null
  rm -rf -- "$work"
  git --git-dir="$repo" worktree prune
  git --git-dir="$repo" config --get "$(own_worktree).path" >/dev/null && configure --remove-section "$(own_worktree)"
  return 0
}
