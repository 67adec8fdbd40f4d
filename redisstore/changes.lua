-- Returns the version to go on from, and then the records that changed after a
-- version, in the order of their change.
--
-- KEYS  records, versions: as in revoke.lua
-- ARGV  the version to begin after, how many records at most

local records, versions = KEYS[1], KEYS[2]
local after = ARGV[1]

-- A replica answers, too, and one that lost its primary for ever the same. Nothing
-- has an empty id, so this changes nothing, but only a primary may try. Any other
-- complaint, of an account that may only read or of a disk, is about writing.
local tried = redis.pcall('HDEL', records, '')
if type(tried) == 'table' and tried.err and string.find(tried.err, 'READONLY', 1, true) then
	return redis.error_reply('READONLY a replica answers with old news')
end

-- Nothing is as new as what the caller knows: this is another set of data, or the
-- newest entry was forgotten. Begin from the start; telling twice does no harm.
local newest = redis.call('ZREVRANGE', versions, 0, 0, 'WITHSCORES')[2] or '0'
if tonumber(newest) < tonumber(after) then
	after = '0'
end

local changed = redis.call('ZRANGEBYSCORE', versions, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, tonumber(ARGV[2]))
local answer = { after }
for i = 1, #changed, 2 do
	local record = redis.call('HGET', records, changed[i])
	if not record then
		return redis.error_reply('INCOMPLETE a record is gone')
	end
	answer[#answer + 1] = record
	answer[1] = changed[i + 1]
end
return answer
