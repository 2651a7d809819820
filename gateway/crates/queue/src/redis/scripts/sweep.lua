-- Deletes dead letters and finished entries that have outlived their retention, a bounded number.
--
-- ARGV: time, whose; dead letters older than this go; entries older than this go; how many old entries are known to
-- have to stay, and are passed over; how many are deleted at most.
-- Answers: the time, how many were deleted, how many entries were looked at, how many of those have to stay, and the
-- time of the oldest entry, or -1.

local now, shift = clock()
local dead_before, before = tonumber(arg()) + shift, tonumber(arg()) + shift
local skip, max = tonumber(arg()), tonumber(arg())

local deleted = 0
for _, key in ipairs(redis.call('ZRANGEBYSCORE', DIED, '-inf', '(' .. whole(dead_before), 'LIMIT', 0, max)) do
    local state = read(redis.call('HGET', DELIVERY, key))
    if is_delivery(state) then
        unbury(key, state)
        forget(key, state)
        rename(state[REF], key, {})
    else
        unbury_unreadable(key)
        forget(key, state)
    end
    deleted = deleted + 1
end

local old = redis.call('ZRANGEBYSCORE', JOURNAL, '-inf', '(' .. whole(before), 'LIMIT', skip, max)
local entries, stay, gone = many(ENTRY, old), 0, {}
for i, ref in ipairs(old) do
    local entry = read(entries[i])
    local keys = {}
    for first = 1, entry and #entry[DELIVERIES] or 0, 16 do
        keys[#keys + 1] = string.sub(entry[DELIVERIES], first, first + 15)
    end
    local states, done = {}, true
    for k, packed in ipairs(many(DELIVERY, keys)) do
        states[k] = read(packed)
        -- What cannot be read may wait: whoever leases it buries it, and it stays until then.
        local state = is_delivery(states[k]) and states[k][STATE]
        if packed and state ~= DELIVERED and state ~= CANCELLED then
            done = false
        end
    end
    if done then
        for k, key in ipairs(keys) do
            forget(key, states[k])
        end
        gone[#gone + 1] = ref
        deleted = deleted + 1
    else
        stay = stay + 1
    end
end
each(gone, 'HDEL', ENTRY)
each(gone, 'HDEL', DUPLICATE)
each(gone, 'ZREM', JOURNAL)
local oldest = redis.call('ZRANGE', JOURNAL, 0, 0, 'WITHSCORES')[2]
return { now, deleted, #old, stay, tonumber(oldest or -1) }
