-- ARGV: owner, priority, lease, ticket, handoff window (all in milliseconds), wake token or ''.
-- Answers {fence, 0, false} when granted, else {0, place, wake token to notify or false}.

local owner = ARGV[1]
local at = now()
local fence, ends = holder()
local free = ends <= at

local function grant()
  -- The clock is the lower bound: the fence grows even if Redis lost its data.
  local new = math.max(fence + 1, at)
  write(new, at + ARGV[3] * 1000, owner)
  return { new, 0, false }
end

if free and redis.call('EXISTS', KEYS[2]) == 0 then
  return grant()
end

bury(at)
local score = redis.call('ZSCORE', KEYS[2], owner)
local arrival = score and score % STEP or redis.call('HINCRBY', KEYS[4], 'arrivals', 1)
redis.call('ZADD', KEYS[2], ARGV[2] * STEP + arrival, owner)
local ahead = redis.call('ZRANK', KEYS[2], owner)

if free and ahead == 0 then
  forget(owner)
  return grant()
end

redis.call('ZADD', KEYS[3], at + ARGV[4] * 1000, owner)
if ARGV[6] == '' then
  redis.call('HDEL', KEYS[4], 'wake:' .. owner)
else
  redis.call('HSET', KEYS[4], 'wake:' .. owner, ARGV[6])
end
for key = 2, 4 do
  redis.call('PEXPIRE', KEYS[key], KEEP)
end
return { 0, ahead + 1, free and call_first(at, ARGV[5]) }
