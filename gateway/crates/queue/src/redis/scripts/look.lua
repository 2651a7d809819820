-- Tells what a process may not have been told: what is due or soon will be, what waits, what was left behind. Puts
-- pending entries that nobody leases any more (of a process that is gone without a trace of the lease) back, and
-- removes consumers that have nothing and have not been seen for an hour.
--
-- ARGV: how long an entry is pending without a lease before it is put back; whether there is an outbox; the number of
-- destinations, each with its name.
-- Answers: how many wait, the time of the oldest entry or -1, how many changes of profiles are left in the outbox; for
-- each destination when something is due (0: now, -1: never), the end of the first lease or -1, and how many wait.

local CONSUMER_IDLE_MS = 3600000
local idle_min, has_outbox = tonumber(arg()), arg() == '1'

local function put_back_orphans(n)
    local claimed = redis.pcall('XAUTOCLAIM', stream(n), GROUP, 'reclaim', whole(idle_min), '0-0', 'COUNT', 100)
    if claimed.err then
        return
    end
    for _, entry in ipairs(claimed[2]) do
        local id, key = entry[1], entry[2][2]
        local state = key and read(redis.call('HGET', DELIVERY, key))
        if key and redis.call('HEXISTS', HELD, key) == 0 then
            leave_stream(n, id)
            if is_delivery(state) and state[STATE] == WAITING then
                wait_again(n, key, state)
            end
        end
    end
    for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', stream(n), GROUP)) do
        local fields = {}
        for i = 1, #info, 2 do
            fields[info[i]] = info[i + 1]
        end
        if fields['pending'] == 0 and fields['idle'] > CONSUMER_IDLE_MS then
            redis.call('XGROUP', 'DELCONSUMER', stream(n), GROUP, fields['name'])
        end
    end
end

local function is_unread(n)
    local groups = redis.call('XINFO', 'GROUPS', stream(n))
    for _, info in ipairs(groups) do
        local fields = {}
        for i = 1, #info, 2 do
            fields[info[i]] = info[i + 1]
        end
        if fields['name'] == GROUP then
            return #redis.call('XRANGE', stream(n), '(' .. fields['last-delivered-id'], '+', 'COUNT', 1) > 0
        end
    end
    return redis.call('XLEN', stream(n)) > 0
end

local names, fields = {}, { 'w' }
for n = 1, tonumber(arg()) do
    names[n] = arg()
    fields[n + 1] = 'w:' .. names[n]
end
local counted = redis.call('HMGET', COUNT, unpack(fields))
local oldest = redis.call('ZRANGE', JOURNAL, 0, 0, 'WITHSCORES')[2]
local answer = { tonumber(counted[1] or 0), tonumber(oldest or -1), has_outbox and redis.call('HLEN', OUTBOX) or 0 }
for n = 1, #names do
    local due, first_end, waiting = -1, -1, tonumber(counted[n + 1] or 0)
    -- Where nothing waits there is nothing to look at: an idle process costs next to nothing.
    if waiting > 0 then
        local has_stream = redis.call('EXISTS', stream(n)) == 1
        if has_stream then
            put_back_orphans(n)
        end
        due = tonumber(redis.call('ZRANGE', retry(n), 0, 0, 'WITHSCORES')[2] or -1)
        if has_stream and is_unread(n) then
            due = 0
        end
        first_end = tonumber(redis.call('ZRANGE', leased(n), 0, 0, 'WITHSCORES')[2] or -1)
    end
    add(answer, due, first_end, waiting)
end
return answer
