-- ARGV: owner, handoff window in milliseconds. Answers the wake token to notify, or false.

local at = now()
local _, ends = holder()
forget(ARGV[1])
bury(at)
return ends <= at and call_first(at, ARGV[2])
