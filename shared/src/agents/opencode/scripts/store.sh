# Takes one piece of a patch, as a command line holds no more than 128 KiB.

main() {
  hold
  mkdir -p -- "$meta/patch-$patch_key"
  local place
  place="$meta/patch-$patch_key/piece-$(printf '%06d' "$number")"
  printf '%s' "$piece" | base64 -d >"$place.new" && mv -f -- "$place.new" "$place" && report stored "$number"
}

main </dev/null
