-- Puts back what waits and is in no queue, because somebody deleted a stream, its entries or a sorted set; and counts
-- anew. Reads all deliveries of the partition, so it runs only where a look has found that something is odd.
--
-- ARGV: the number of destinations, each with its name.
-- Answers: how many were put back, and how many wait here; for each destination how many wait.

local names, numbers, placed, pending, waiting, dead = {}, {}, {}, {}, {}, {}
for n = 1, tonumber(arg()) do
    names[n] = arg()
    numbers[names[n]], placed[n], pending[n], waiting[n], dead[n] = n, {}, {}, 0, 0
end

-- Calls back with each entry of a stream's part.
local function entries(n, from, to, seen)
    while true do
        local some = redis.call('XRANGE', stream(n), from, to, 'COUNT', 1000)
        for _, entry in ipairs(some) do
            seen(entry[1], entry[2][2])
        end
        if #some < 1000 then
            return
        end
        from = '(' .. some[#some][1]
    end
end

for n = 1, #names do
    for _, key in ipairs(redis.call('ZRANGE', retry(n), 0, -1)) do
        placed[n][key] = true
    end
    for _, key in ipairs(redis.call('ZRANGE', leased(n), 0, -1)) do
        placed[n][key] = true
    end
    if redis.call('EXISTS', stream(n)) == 1 then
        local last = '0-0'
        for _, info in ipairs(redis.call('XINFO', 'GROUPS', stream(n))) do
            for i = 1, #info, 2 do
                if info[i] == 'last-delivered-id' then
                    last = info[i + 1]
                end
            end
        end
        entries(n, '-', last, function(id, key) pending[n][key] = id end)
        entries(n, '(' .. last, '+', function(_, key) placed[n][key] = true end)
    end
end

local found, counted, cursor = 0, {}, '0'
repeat
    local page = redis.call('HSCAN', DELIVERY, cursor, 'COUNT', 1000)
    cursor = page[1]
    for i = 1, #page[2], 2 do
        local key, state = page[2][i], read(page[2][i + 1])
        local n = is_delivery(state) and numbers[state[DESTINATION]]
        if n and not counted[key] then
            counted[key] = true
            if state[STATE] == DEAD_STATE then
                dead[n] = dead[n] + 1
            elseif state[STATE] == WAITING then
                waiting[n] = waiting[n] + 1
                if not placed[n][key] then
                    found = found + 1
                    end_lease(n, key, pending[n][key] or '')
                    wait_again(n, key, state)
                    placed[n][key] = true
                end
            end
        end
    end
until cursor == '0'

for n, name in ipairs(names) do
    -- What was in the queue and could not be read, or was settled all the same, is found by whoever leases it.
    local unknown = {}
    for _, key in ipairs(redis.call('ZRANGE', age(n), 0, -1)) do
        if not placed[n][key] then
            unknown[#unknown + 1] = key
        end
    end
    each(unknown, 'ZREM', age(n))
    for key in pairs(placed[n]) do
        local state = not counted[key] and redis.call('HGET', DELIVERY, key)
        if state and not is_delivery(read(state)) then
            waiting[n] = waiting[n] + 1
        end
    end
    redis.call('HSET', COUNT, 'w:' .. name, waiting[n], 'd:' .. name, dead[n])
end
local fields, total = redis.call('HGETALL', COUNT), 0
for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'w:' then
        total = total + (tonumber(fields[i + 1]) or 0)
    end
end
redis.call('HSET', COUNT, 'w', total)
local answer = { found, total }
for n = 1, #names do
    answer[#answer + 1] = waiting[n]
end
return answer
