# Decides which of the agent's sessions belongs to a run, when two calls opened one at once: the first that comes here.

main() {
  hold
  local claimed="$meta/session-$run"
  if [ ! -s "$claimed" ] || [ "$(cat -- "$claimed")" = "$instead_of" ]; then
    printf '%s' "$candidate" >"$claimed.new" && mv -f -- "$claimed.new" "$claimed"
  fi
  report session "$(cat -- "$claimed")"
}

main </dev/null
