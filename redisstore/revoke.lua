-- Records one revocation, or makes the one that is there stronger.
--
-- KEYS  records   hash   id -> record
--       versions  zset   id by the number of its last change
--       expiries  zset   id by the second, of Redis's clock, after which it is forgotten
-- ARGV  id, before, last, names, how many seconds to keep it, limit
--
-- A record is "before last names": two Unix times and JSON. Returns 1, or 0 when
-- there is no room.

local records, versions, expiries = KEYS[1], KEYS[2], KEYS[3]
local id, before, last, names = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = tonumber(time[1])

local function highest(zset)
	return tonumber(redis.call('ZREVRANGE', zset, 0, 0, 'WITHSCORES')[2] or 0)
end

local function integer(number)
	return string.format('%.0f', number) -- Lua itself would write 1.7e+15
end

local expired = redis.call('ZRANGEBYSCORE', expiries, '-inf', '(' .. integer(now), 'LIMIT', 0, 1000)
if #expired > 0 then
	redis.call('HDEL', records, unpack(expired))
	redis.call('ZREM', versions, unpack(expired))
	redis.call('ZREM', expiries, unpack(expired))
end

local forget = now + tonumber(ARGV[5])
local old = redis.call('HGET', records, id)
if old then
	local oldBefore, oldLast = string.match(old, '^(%-?%d+) (%-?%d+) ')
	if tonumber(oldBefore) > tonumber(before) then before = oldBefore end
	if tonumber(oldLast) > tonumber(last) then last = oldLast end
	forget = math.max(forget, tonumber(redis.call('ZSCORE', expiries, id) or 0))
elseif redis.call('HLEN', records) >= tonumber(ARGV[6]) then
	return 0
end

-- The number of a change is the time in microseconds, and always higher than the
-- last. So it goes on rising when Redis comes back without its data, and no
-- follower takes new changes for old ones.
local version = math.max(now * 1000000 + tonumber(time[2]), highest(versions) + 1)
redis.call('HSET', records, id, before .. ' ' .. last .. ' ' .. names)
redis.call('ZADD', versions, integer(version), id)
redis.call('ZADD', expiries, integer(forget), id)

-- Should nobody revoke again, all of it still goes when the last entry may.
local all = integer(highest(expiries) + 1)
for _, key in ipairs(KEYS) do
	redis.call('EXPIREAT', key, all)
end
return 1
