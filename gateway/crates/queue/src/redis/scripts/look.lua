-- Tells what a process may not have been told: what is due or soon will be, what waits, what was left behind. Puts
-- pending entries that nobody leases any more (of a process that is gone without a trace of the lease) back, and
-- removes consumers that have nothing and have not been seen for an hour.
--
-- ARGV: time, whose; how long an entry is pending without a lease before it is put back; the number of destinations,
-- each with its name.
-- Answers: the time, how many wait, the time of the oldest entry or -1, how many patches of profiles are left in the
-- outbox; for each destination when something is due (0: now, -1: never), the end of the first lease or -1, and how
-- many wait.

local CONSUMER_IDLE_MS = 3600000
local now = clock()
local idle_min = tonumber(arg())

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

local answer = {
    now,
    tonumber(redis.call('HGET', COUNT, 'w') or 0),
    tonumber(redis.call('ZRANGE', JOURNAL, 0, 0, 'WITHSCORES')[2] or -1),
    redis.call('HLEN', OUTBOX),
}
for n = 1, tonumber(arg()) do
    local name, due = arg(), -1
    local has_stream = redis.call('EXISTS', stream(n)) == 1
    if has_stream then
        put_back_orphans(n)
    end
    local again = tonumber(redis.call('ZRANGE', retry(n), 0, 0, 'WITHSCORES')[2] or -1)
    if has_stream and is_unread(n) then
        due = 0
    elseif again >= 0 then
        due = again
    end
    local first_end = tonumber(redis.call('ZRANGE', leased(n), 0, 0, 'WITHSCORES')[2] or -1)
    add(answer, due, first_end, tonumber(redis.call('HGET', COUNT, 'w:' .. name) or 0))
end
return answer
