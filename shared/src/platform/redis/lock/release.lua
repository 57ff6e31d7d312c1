-- ARGV: owner, fence, handoff window in milliseconds. Answers {1 if it was held, wake token to notify or false}.

local at = now()
local fence, ends, owner = holder()
local held = holds(at, fence, ends, owner)
if held then
  write(fence, 0, '')
elseif ends > at then
  return { 0, false }
end
bury(at)
return { held and 1 or 0, call_first(at, ARGV[3]) }
