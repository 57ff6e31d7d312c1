# Gives the workspace back: the work goes to the branch ioc/<session>, then the files go.

main() {
  hold
  recall || repo=$known_repository base=$known_base
  if [ -d "$work" ] && [ -d "$repo" ]; then
    save >/dev/null || fail FETCH "cannot save the work on its branch"
    discard
  fi
  rm -rf -- "$meta"
  report released yes
}

main </dev/null
