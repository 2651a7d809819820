-- Records attempts with their outcomes, and ends their leases. An attempt whose lease was lost changes nothing.
--
-- ARGV: time, whose; channel, origin, partition; the number of destinations and their names; the number of attempts,
-- each with its delivery's key, the token, its destination's number and name, its time, `delivered`, `retry`, `dead` or
-- `cancelled`, when it is due again, why it is dead or cancelled, and its record.
-- Answers: for each attempt 1 recorded or 0 lost; then how many wait here, and how many for each destination.

local _, shift = clock()
local channel, origin, partition = arg(), arg(), tonumber(arg())
local attempts, keys, fields = {}, {}, { 'w' }
for n = 1, tonumber(arg()) do
    fields[n + 1] = 'w:' .. arg()
end
for i = 1, tonumber(arg()) do
    local one = { key = arg(), token = arg(), n = tonumber(arg()), destination = arg(), at = tonumber(arg()) }
    one.outcome, one.due, one.reason, one.record = arg(), tonumber(arg()), arg(), arg()
    attempts[i], keys[i] = one, one.key
end
local held, states = many(HELD, keys), many(DELIVERY, keys)

local answer, news = {}, {}
local records, packed, ended, deaths, emptied = {}, {}, {}, {}, {}
local lists = {}
local waiting, total = {}, 0
for i, one in ipairs(attempts) do
    local token, id = lease_of(held[i])
    local state = read(states[i])
    answer[i] = 0
    if token == one.token and not ended[one.key] and is_delivery(state) then
        answer[i] = 1
        ended[one.key] = true
        local list = lists[one.n] or { leased = {}, stream = {}, age = {}, again = {} }
        lists[one.n] = list
        add(list.leased, one.key)
        if id ~= '' then
            add(list.stream, id)
        end
        state[ATTEMPTS], state[RECORDED], state[LAPSES] = state[ATTEMPTS] + 1, state[RECORDED] + 1, 0
        add(records, attempt_field(one.key, state[RECORDED]), one.record)
        if one.outcome == 'retry' then
            state[DUE] = math.max(0, one.due + shift)
            list.again[#list.again + 1] = { one.key, state }
            hears(news, one.destination, state[DUE])
        else
            waiting[one.destination] = (waiting[one.destination] or 0) - 1
            total = total - 1
            if id == '' then
                add(list.age, one.key)
            end
            if one.outcome == 'dead' then
                state[STATE], state[DIED_MS], state[REASON] = DEAD_STATE, math.max(0, one.at + shift), one.reason
                deaths[#deaths + 1] = { one.key, state }
            elseif one.outcome == 'cancelled' then
                state[STATE], state[REASON], state[BYTES] = CANCELLED, one.reason, 0
                add(emptied, one.key)
            else
                state[STATE] = DELIVERED
            end
        end
        add(packed, one.key, cmsgpack.pack(state))
    end
end

-- What an attempt led to comes first, and the leases end last: were a key damaged so that the script stops half way,
-- nothing would be forgotten.
each(records, 'HSET', ATTEMPT)
each(packed, 'HSET', DELIVERY)
each(emptied, 'HDEL', PAYLOAD)
for _, one in ipairs(deaths) do
    die(one[1], one[2], one[2][DIED_MS], one[2][REASON])
end
local gone = {}
for key in pairs(ended) do
    gone[#gone + 1] = key
end
for n, list in pairs(lists) do
    for _, one in ipairs(list.again) do
        wait_again(n, one[1], one[2])
    end
    each(list.leased, 'ZREM', leased(n))
    each(list.stream, 'XACK', stream(n), GROUP)
    each(list.stream, 'XDEL', stream(n))
    each(list.age, 'ZREM', age(n))
end
each(gone, 'HDEL', HELD)
for destination, change in pairs(waiting) do
    redis.call('HINCRBY', COUNT, 'w:' .. destination, change)
end
if total ~= 0 then
    redis.call('HINCRBY', COUNT, 'w', total)
end
tell(channel, origin, partition, news)
for _, count in ipairs(redis.call('HMGET', COUNT, unpack(fields))) do
    answer[#answer + 1] = tonumber(count or 0)
end
return answer
