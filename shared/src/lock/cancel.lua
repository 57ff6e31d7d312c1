-- ARGV: owner, turn in milliseconds. Answers the doorbell to ring, or false.

local at = now()
local _, ends = holder()
forget(ARGV[1])
bury(at)
return ends <= at and call_first(at, ARGV[2])
