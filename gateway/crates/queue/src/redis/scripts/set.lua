-- Writes settings of the store, and tells the other processes.
--
-- KEYS: the settings. ARGV: the channel, who tells, the partition; `set`, `add` (what is here already stays) or `delete`;
-- then each one's name and value.
-- Answers: how many changed.

local channel, origin, partition, manner = arg(), arg(), tonumber(arg()), arg()
local changed = 0
for _ = 1, (#ARGV - 4) / 2 do
    local name, value = arg(), arg()
    if manner == 'delete' then
        changed = changed + redis.call('HDEL', KEYS[1], name)
    elseif manner == 'set' or redis.call('HEXISTS', KEYS[1], name) == 0 then
        redis.call('HSET', KEYS[1], name, value)
        changed = changed + 1
    end
end
-- Whoever may not publish is heard later: the others look for themselves.
redis.pcall('PUBLISH', channel, cmsgpack.pack({ origin, partition }))
return changed
