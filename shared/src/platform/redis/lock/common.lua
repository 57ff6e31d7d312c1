-- The functions that the scripts of the lock share; prepended to each.
--
-- KEYS[1]  the holder: "<fence> <end of the lease> <owner>"; it outlives the grant, for the fence in it
-- KEYS[2]  the queue: owner -> priority * STEP + arrival
-- KEYS[3]  the end of each ticket's lease: owner -> time
-- KEYS[4]  "arrivals" -> how many there were; "wake:<owner>" -> the wake token of a parked contender
--
-- Times are microseconds of this server's clock. Numbers become text by %.0f alone: Lua's own conversion rounds them.

local STEP = 2 ^ 45
local KEEP = 7200000 -- milliseconds; the longest lease and ticket are half of it

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function text(number)
  return string.format('%.0f', number)
end

-- The newest fence, the end of its lease (0 once released) and its owner.
local function holder()
  local value = redis.call('GET', KEYS[1])
  if not value then
    return 0, 0, ''
  end
  local fence, ends, owner = string.match(value, '^(%d+) (%d+) (.*)$')
  return tonumber(fence), tonumber(ends), owner
end

local function write(fence, ends, owner)
  redis.call('SET', KEYS[1], text(fence) .. ' ' .. text(ends) .. ' ' .. owner, 'PX', KEEP)
end

-- Whether this grant is still valid: its owner, its fence, within its lease.
local function holds(at, fence, ends, owner)
  return ends > at and owner == ARGV[1] and text(fence) == ARGV[2]
end

local function forget(owner)
  redis.call('ZREM', KEYS[2], owner)
  redis.call('ZREM', KEYS[3], owner)
  redis.call('HDEL', KEYS[4], 'wake:' .. owner)
end

-- Removes every contender whose ticket has expired.
local function bury(at)
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', at)) do
    forget(owner)
  end
end

-- Reserves the lock for the first in the queue: returns its wake token once, and from then on it has the handoff window.
-- A contender without a token polls. (NX repairs a queue whose other keys Redis evicted.)
local function call_first(at, turn)
  local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if not first then
    return false
  end
  local token = redis.call('HGET', KEYS[4], 'wake:' .. first)
  if token then
    redis.call('HDEL', KEYS[4], 'wake:' .. first)
    redis.call('ZADD', KEYS[3], at + turn * 1000, first)
  else
    redis.call('ZADD', KEYS[3], 'NX', at + turn * 1000, first)
  end
  return token
end
