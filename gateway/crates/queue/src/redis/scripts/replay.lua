-- Puts dead letters back, replaces them, or deletes them.
--
-- ARGV: time, whose; channel, origin, partition; the number of destinations and their names; the number of letters, each with its key, its destination's number,
-- and `recorded`, or `instead` with the number of deliveries and each of them.
-- Answers: for each letter 1, or 0 where it is not dead; then how many wait here, and how many for each destination.

local now, shift = clock()
local told = now - shift
local channel, origin, partition = arg(), arg(), tonumber(arg())
local answer, news, fields = {}, {}, { 'w' }
for n = 1, tonumber(arg()) do
    fields[n + 1] = 'w:' .. arg()
end
for i = 1, tonumber(arg()) do
    local key, n, how, instead = arg(), tonumber(arg()), arg(), {}
    if how == 'instead' then
        for m = 1, tonumber(arg()) do
            instead[m] = delivery_argument()
        end
    end
    local state = read(redis.call('HGET', DELIVERY, key))
    answer[i] = 0
    if is_delivery(state) and state[STATE] == DEAD_STATE then
        answer[i] = 1
        unbury(key, state)
        if how == 'recorded' then
            state[STATE], state[DUE], state[QUEUED], state[ATTEMPTS] = WAITING, now, told, 0
            state[DIED_MS], state[REASON], state[LAPSES] = 0, '', 0
            redis.call('HSET', DELIVERY, key, cmsgpack.pack(state))
            wait_again(n, key, state)
            waits(state[DESTINATION], 1)
            hears(news, state[DESTINATION], 0)
        else
            local into, new = batch(), {}
            for m, one in ipairs(instead) do
                local due = store(into, one, shift)
                if due then
                    hears(news, cmsgpack.unpack(one.packed)[DESTINATION], due)
                end
                new[m] = one.key
            end
            forget(key, state)
            flush(into)
            rename(state[REF], key, new)
        end
    end
end
tell(channel, origin, partition, news)
for _, count in ipairs(redis.call('HMGET', COUNT, unpack(fields))) do
    answer[#answer + 1] = tonumber(count or 0)
end
return answer
