-- Tells what a process may not have been told: what is due or soon will be, what waits, what was left behind. Puts
-- pending entries that nobody leases any more (of a process that is gone without a trace of the lease) back, and
-- removes consumers that have nothing and have not been seen for an hour.
--
-- ARGV: how long an entry is pending without a lease before it is put back; whether there is an outbox; the number of
-- destinations, each with its name.
-- Answers: how many wait, the time of the oldest entry or -1, how many changes of profiles are left in the outbox; for
-- each destination when something is due (0: now, -1: never), the end of the first lease or -1, how many wait, and
-- whether that is not what the queue holds, so that it has to be mended.

local CONSUMER_IDLE_MS = 3600000
local idle_min, has_outbox = tonumber(arg()), arg() == '1'

local function pairs_of(info)
    local fields = {}
    for i = 1, #info, 2 do
        fields[info[i]] = info[i + 1]
    end
    return fields
end

local function put_back_orphans(n)
    local claimed = redis.pcall('XAUTOCLAIM', stream(n), GROUP, 'reclaim', whole(idle_min), '0-0', 'COUNT', 100)
    if claimed.err then
        return
    end
    for _, entry in ipairs(claimed[2]) do
        local id, key = entry[1], entry[2][2]
        local state = key and read(redis.call('HGET', DELIVERY, key))
        -- What cannot be read is put back too: whoever leases it buries it.
        if key and #key == 16 and not redis.call('ZSCORE', leased(n), key) then
            leave_stream(n, id)
            redis.call('HDEL', HELD, key)
            if not is_delivery(state) then
                redis.call('ZADD', retry(n), 0, key)
            elseif state[STATE] == WAITING then
                wait_again(n, key, state)
            end
        end
    end
    for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream(n), GROUP)) do
        local fields = pairs_of(info)
        if fields['pending'] == 0 and fields['idle'] > CONSUMER_IDLE_MS then
            redis.call('XGROUP', 'DELCONSUMER', stream(n), GROUP, fields['name'])
        end
    end
end

-- Whether the stream has what was never leased; how many entries it has, and how many of them are leased.
local function stream_of(n)
    if redis.call('EXISTS', stream(n)) == 0 then
        return false, 0, 0
    end
    put_back_orphans(n)
    local length = redis.call('XLEN', stream(n))
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream(n))) do
        local fields = pairs_of(info)
        if fields['name'] == GROUP then
            local unread = redis.call('XRANGE', stream(n), '(' .. fields['last-delivered-id'], '+', 'COUNT', 1)
            return #unread > 0, length, fields['pending']
        end
    end
    return length > 0, length, 0
end

local names, fields = {}, { 'w' }
for n = 1, tonumber(arg()) do
    names[n] = arg()
    fields[n + 1] = 'w:' .. names[n]
end
local counted = redis.call('HMGET', COUNT, unpack(fields))
local oldest = redis.call('ZRANGE', JOURNAL, 0, 0, 'WITHSCORES')[2]
-- Nothing but damage takes the counts away.
local is_uncounted = not counted[1] and redis.call('EXISTS', DELIVERY) == 1
local answer =
    { tonumber(counted[1] or 0) or 0, tonumber(oldest or -1), has_outbox and redis.call('HLEN', OUTBOX) or 0 }
for n = 1, #names do
    local due, first_end, waiting, odd = -1, -1, tonumber(counted[n + 1] or 0) or 0, 0
    -- Where nothing waits there is nothing to look at: an idle process costs next to nothing.
    if is_uncounted then
        odd = 1
    elseif waiting ~= 0 then
        local is_unread, length, pending = stream_of(n)
        due = is_unread and 0 or tonumber(redis.call('ZRANGE', retry(n), 0, 0, 'WITHSCORES')[2] or -1)
        first_end = tonumber(redis.call('ZRANGE', leased(n), 0, 0, 'WITHSCORES')[2] or -1)
        -- A group that was lost has nothing pending, and then the leased ones count twice.
        local held = redis.call('ZCARD', leased(n)) + redis.call('ZCARD', retry(n)) + length - pending
        if held < waiting or length + redis.call('ZCARD', age(n)) ~= waiting then
            odd = 1
        end
    end
    add(answer, due, first_end, waiting, odd)
end
return answer
