-- ARGV: owner, fence, lease in milliseconds. Answers 1, or 0 when the grant is no more.

local at = now()
local fence, ends, owner = holder()
if not holds(at, fence, ends, owner) then
  return 0
end
write(fence, at + ARGV[3] * 1000, owner)
return 1
