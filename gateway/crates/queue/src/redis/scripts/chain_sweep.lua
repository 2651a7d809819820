-- Deletes the oldest entries of the chained log up to the first that is not old, but never the newest of all, so that what
-- follows has something to link to.
--
-- KEYS: the log's ends, its entries. ARGV: entries older than this go; how many at most.
-- Answers: how many went.

local ENDS, ENTRIES = KEYS[1], KEYS[2]
local before, max = tonumber(arg()), tonumber(arg())
local ends = redis.call('HMGET', ENDS, 'base_seq', 'base_hash', 'head_seq')
local base, hash, head = tonumber(ends[1] or 0), ends[2] or string.rep('0', 64), tonumber(ends[3] or 0)
local gone = {}
while #gone < max and base + 1 < head do
    local at, its = string.match(redis.call('HGET', ENTRIES, whole(base + 1)) or '', '^(%d+):(%x+):')
    if at and tonumber(at) >= before then
        break
    end
    -- What is missing or cannot be read holds up nothing behind it.
    base, hash = base + 1, its or hash
    gone[#gone + 1] = whole(base)
end
if #gone > 0 then
    redis.call('HSET', ENDS, 'base_seq', whole(base), 'base_hash', hash)
    redis.call('HDEL', ENTRIES, unpack(gone))
end
return #gone
