-- Takes calls from all buckets or from none (GCRA).
--
-- KEYS[n]           when bucket n will be full, in microseconds of this server's clock; absent = it is full
-- ARGV[1]           the number of calls to take; 0 only reads the levels
-- ARGV[2n], [2n+1]  of bucket n: the microseconds that add one call, and those that fill the empty bucket
-- Returns {1 if the calls were taken, the microseconds to wait, then of each bucket: calls left, microseconds until full}.
--
-- Numbers are formatted with %.0f, as Lua's own conversion rounds them.

local time = redis.call('TIME')
local at = time[1] * 1000000 + time[2]
local cost = tonumber(ARGV[1])
local full, wait = {}, 0

for n = 1, #KEYS do
  local every, room = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1])
  local was = tonumber(redis.call('GET', KEYS[n]) or 0)
  -- Clamped to an empty bucket, in case the limit was lowered or the clock was set back.
  full[n] = math.min(math.max(was, at), at + room)
  wait = math.max(wait, full[n] + cost * every - at - room)
end

local taken = wait <= 0
local answer = { taken and 1 or 0, math.ceil(wait) }
for n = 1, #KEYS do
  local every, room = tonumber(ARGV[2 * n]), tonumber(ARGV[2 * n + 1])
  if taken and cost > 0 then
    full[n] = full[n] + cost * every
    redis.call('SET', KEYS[n], string.format('%.0f', full[n]), 'PX', math.ceil((full[n] - at) / 1000) + 1)
  end
  -- The epsilon keeps rounding errors from turning exactly one call into none.
  table.insert(answer, math.floor((at + room - full[n]) / every + 0.001))
  table.insert(answer, math.ceil(full[n] - at))
end
return answer
