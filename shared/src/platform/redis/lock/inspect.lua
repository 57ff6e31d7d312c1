-- ARGV: owner whose place is asked for. Answers {holder or '', newest fence, milliseconds left, waiting, place or 0}.

local at = now()
local fence, ends, owner = holder()
bury(at)
local ahead = redis.call('ZRANK', KEYS[2], ARGV[1])
local left = math.max(ends - at, 0)
return { left > 0 and owner or '', fence, math.ceil(left / 1000), redis.call('ZCARD', KEYS[2]), ahead and ahead + 1 or 0 }
