-- Stores entries as nearly all of them are: new, with deliveries that are due at once, and with room for all. Whatever
-- is otherwise is left to `append`, which can do everything and costs twice as much.
--
-- ARGV: time, whose; channel, origin, partition; how many deliveries may wait in this partition; the number of
-- destinations, each with its name and how many may wait for it here (-1: any number); how many entries, deliveries and
-- scopes there are; then the scopes, the references, pairs of reference and entry, the received times, pairs of key and
-- state, pairs of key and payload, the number of each delivery's destination; then the number of changes of profiles,
-- each with its key's number, its entry's time, its expiry, and its fields.
-- Answers: nothing where it has stored nothing; or the time, how many wait here, and for each destination how many.

local now, shift = clock()
local channel, origin, partition, room = arg(), arg(), tonumber(arg()), tonumber(arg())
local names, rooms, fields = {}, {}, { 'w' }
for n = 1, tonumber(arg()) do
    names[n], rooms[n] = arg(), tonumber(arg())
    fields[n + 1] = 'w:' .. names[n]
end
local entries, deliveries, scopes = tonumber(arg()), tonumber(arg()), tonumber(arg())
local SCOPES = at
local REFS = SCOPES + scopes
local MARKS = REFS + entries
local TIMES = MARKS + 2 * entries
local STATES = TIMES + entries
local PAYLOADS = STATES + 2 * deliveries
local WHERE = PAYLOADS + 2 * deliveries
at = WHERE + deliveries

-- A little of what the clocks differ does not matter to what is due at once.
if math.abs(shift) > 1000 then
    return false
end
for first = 1, entries, CHUNK do
    local last = math.min(first + CHUNK - 1, entries)
    for _, known in ipairs(redis.call('HMGET', ENTRY, unpack(ARGV, REFS + first, REFS + last))) do
        if known then
            return false
        end
    end
end
local counted, adds = redis.call('HMGET', COUNT, unpack(fields)), {}
for i = 1, #fields do
    -- What is no number is found out and mended by `append`.
    counted[i] = tonumber(counted[i] or 0)
    if not counted[i] then
        return false
    end
    adds[i] = 0
end
for j = 1, deliveries do
    local n = tonumber(ARGV[WHERE + j]) + 1
    adds[n] = adds[n] + 1
end
if counted[1] + deliveries > room then
    return false
end
for n = 1, #names do
    if rooms[n] >= 0 and counted[n + 1] + adds[n + 1] > rooms[n] then
        return false
    end
end

-- A key of another type would stop the script half way, so each is asked before anything is written: these fail then.
redis.call('HLEN', DELIVERY)
redis.call('HLEN', PAYLOAD)
redis.call('ZCARD', JOURNAL)
redis.call('SCARD', SCOPE)
for n = 1, #names do
    redis.call('XLEN', stream(n))
end
for i = FIXED + 4 * #names + 1, #KEYS do
    redis.call('HLEN', KEYS[i])
end

local function span(command, key, from, count)
    for first = from + 1, from + count, CHUNK do
        redis.call(command, key, unpack(ARGV, first, math.min(first + CHUNK - 1, from + count)))
    end
end

for j = 1, deliveries do
    redis.call('XADD', stream(tonumber(ARGV[WHERE + j])), '*', 'k', ARGV[STATES + 2 * j - 1])
end
span('HSET', PAYLOAD, PAYLOADS, 2 * deliveries)
span('HSET', DELIVERY, STATES, 2 * deliveries)
local news = {}
for n = 1, #names do
    counted[n + 1] = redis.call('HINCRBY', COUNT, fields[n + 1], adds[n + 1])
    news[names[n]] = 0
end
if deliveries > 0 then
    counted[1] = redis.call('HINCRBY', COUNT, 'w', deliveries)
end
for _ = 1, tonumber(arg()) do
    local profile, received, expires, values = KEYS[tonumber(arg())], tonumber(arg()), tonumber(arg()), {}
    for f = 1, 3 * tonumber(arg()) do
        values[f] = arg()
    end
    patch(profile, received, expires, values)
end
span('SADD', SCOPE, SCOPES, scopes)
local stored = whole(now)
for first = 1, entries, CHUNK / 2 do
    local pairs_of = {}
    for i = first, math.min(first + CHUNK / 2 - 1, entries) do
        -- By the server's clock all of them were received now, give or take what a commit waits.
        pairs_of[#pairs_of + 1] = by_server and stored or ARGV[TIMES + i]
        pairs_of[#pairs_of + 1] = ARGV[REFS + i]
    end
    redis.call('ZADD', JOURNAL, unpack(pairs_of))
end
span('HSET', ENTRY, MARKS, 2 * entries)
tell(channel, origin, partition, news)
return { now, unpack(counted) }
