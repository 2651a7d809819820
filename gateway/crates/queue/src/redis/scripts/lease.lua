-- Leases deliveries of one destination that are due, oldest due first: of those that wait again, and of the stream.
--
-- ARGV: time, whose; until, how many, how many bytes, whether one comes even if it is larger; the consumer; the
-- destination; the lapses that make a delivery poison.
-- Answers: {the time, whether more is due (2: nothing was leased, but something cleared away), the next due time or -1, the end of the first lease or -1, whether the
-- group had been lost, what could not be read, what was poison, how many wait for the destination and in all, and for
-- each lease {key, token, entry, payload, attempts, queued}}.

local now, shift = clock()
local till, count_max, bytes_max = tonumber(arg()) + shift, tonumber(arg()), tonumber(arg())
local owed = arg() == '1'
local consumer, destination, lapses_max = arg(), arg(), tonumber(arg())
local STREAM, RETRY, LEASED = stream(1), retry(1), leased(1)
local unreadable, poison, remade = 0, 0, 0

-- An entry of the stream that is none of ours, or whose delivery cannot be read.
local function bury_entry(id, raw, key)
    unreadable = unreadable + 1
    if key ~= '' then
        bury_waiting(1, key, destination, now)
        return
    end
    -- A key of its own, which sorts by the time and which no other stream's entry has.
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    local own = string.sub(struct.pack('>I8', tonumber(ms)), 3) .. struct.pack('>I4', tonumber(seq) % 4294967296)
    own = own .. string.sub(redis.sha1hex(STREAM), 1, 6)
    bury_unreadable(own, destination, id, now, cmsgpack.pack(raw), 'the queued entry ' .. id .. ' cannot be read')
end

-- Leases whose time has come: somebody died with them, or was cut off.
for _, key in ipairs(redis.call('ZRANGEBYSCORE', LEASED, '-inf', whole(now), 'LIMIT', 0, 1000)) do
    local _, id = lease_of(redis.call('HGET', HELD, key))
    local state = read(redis.call('HGET', DELIVERY, key))
    end_lease(1, key, id)
    if is_delivery(state) and state[STATE] == WAITING then
        state[LAPSES] = state[LAPSES] + 1
        if state[LAPSES] >= lapses_max then
            poison = poison + 1
            waits(destination, -1)
            redis.call('ZREM', age(1), key)
            die(key, state, now, 'leased ' .. state[LAPSES] .. ' times without an outcome: whoever tries it does not come back')
        else
            wait_again(1, key, state)
        end
        redis.call('HSET', DELIVERY, key, cmsgpack.pack(state))
    elseif not is_delivery(state) then
        unreadable = unreadable + 1
        bury_waiting(1, key, destination, now)
    end
end

-- The group is made at the start of the stream, which holds only what has not been settled.
local function make_group()
    redis.call('XGROUP', 'CREATE', STREAM, GROUP, '0', 'MKSTREAM')
    if redis.call('HSETNX', COUNT, 'g:' .. destination, 1) == 0 then
        remade = 1
    end
end

local function last_delivered()
    if redis.call('EXISTS', STREAM) == 0 then
        return nil
    end
    for _, info in ipairs(redis.call('XINFO', 'GROUPS', STREAM)) do
        local fields = {}
        for i = 1, #info, 2 do
            fields[info[i]] = info[i + 1]
        end
        if fields['name'] == GROUP then
            return fields['last-delivered-id']
        end
    end
    make_group()
    return '0-0'
end

local waiting_again = redis.call('ZRANGEBYSCORE', RETRY, '-inf', whole(now), 'LIMIT', 0, count_max)
local again_states = many(DELIVERY, waiting_again)
local fresh, fresh_keys = {}, {}
local last = last_delivered()
if last and count_max > 0 then
    fresh = redis.call('XRANGE', STREAM, '(' .. last, '+', 'COUNT', count_max)
    for i, entry in ipairs(fresh) do
        local fields = entry[2]
        fresh_keys[i] = fields[1] == 'k' and #fields[2] == 16 and fields[2] or ''
    end
end
local fresh_states, fresh_held = many(DELIVERY, fresh_keys), many(HELD, fresh_keys)

local chosen, bytes, i, j = {}, 0, 1, 1
-- What leaves the stream, what is bad in it, what waits again although it cannot be read.
local stale, bad = {}, {}

-- The next of those that wait again, as {key, state}.
local function next_again()
    while waiting_again[i] do
        local state = read(again_states[i])
        if is_delivery(state) and state[STATE] == WAITING then
            return { waiting_again[i], state, '' }
        end
        if is_delivery(state) then
            redis.call('ZREM', RETRY, waiting_again[i])
            redis.call('ZREM', age(1), waiting_again[i])
        else
            unreadable = unreadable + 1
            bury_waiting(1, waiting_again[i], destination, now)
        end
        i = i + 1
    end
    return nil
end

-- The next of the stream, as {key, state, id}. What a lost group leases a second time is passed over.
local function next_fresh()
    while fresh[j] do
        local id, key, state = fresh[j][1], fresh_keys[j], read(fresh_states[j])
        if key == '' or not is_delivery(state) then
            add(bad, { id, fresh[j][2], key })
        elseif state[STATE] ~= WAITING then
            add(stale, id)
        elseif not fresh_held[j] then
            return { key, state, id }
        end
        j = j + 1
    end
    return nil
end

-- Who asks for none has not emptied anything.
local more, next_fresh_due = count_max == 0 and 1 or 0, nil
while count_max > 0 do
    local again, new = next_again(), next_fresh()
    if new and not by_server and new[2][DUE] > now then
        next_fresh_due, new = new[2][DUE], nil
    end
    local pick = again
    if not again or (new and new[2][DUE] < again[2][DUE]) then
        pick = new
    end
    if not pick then
        more = (#waiting_again == count_max or (#fresh == count_max and not next_fresh_due)) and 1 or 0
        break
    end
    if #chosen == count_max or ((#chosen > 0 or not owed) and bytes + pick[2][BYTES] > bytes_max) then
        more = 1
        break
    end
    bytes = bytes + pick[2][BYTES]
    chosen[#chosen + 1] = pick
    if pick == again then
        i = i + 1
    else
        j = j + 1
    end
end
if j > 1 then
    redis.call('XREADGROUP', 'GROUP', GROUP, consumer, 'COUNT', j - 1, 'STREAMS', STREAM, '>')
end
for _, id in ipairs(stale) do
    leave_stream(1, id)
end
for _, one in ipairs(bad) do
    leave_stream(1, one[1])
    bury_entry(one[1], one[2], one[3])
end

local leases, held, ends, again, keys = {}, {}, {}, {}, {}
for n, one in ipairs(chosen) do
    keys[n] = one[1]
end
local payloads, whole_ones = many(PAYLOAD, keys), {}
for n, one in ipairs(chosen) do
    local key, state, id = one[1], one[2], one[3]
    if payloads[n] then
        whole_ones[#whole_ones + 1] = { key, state, id, payloads[n] }
    else
        -- Nothing can be sent of it, and nothing should be sent instead.
        unreadable = unreadable + 1
        end_lease(1, key, id)
        redis.call('ZREM', RETRY, key)
        redis.call('ZREM', age(1), key)
        waits(destination, -1)
        die(key, state, now, 'its payload is missing from the store')
        redis.call('HSET', DELIVERY, key, cmsgpack.pack(state))
        more = 1
    end
end
chosen = whole_ones
if #chosen > 0 then
    -- Were the last token lost, a lease could get that of an earlier one: then they go on from the time.
    redis.call('HSETNX', COUNT, 'token', whole(now * 1000))
    local token = redis.call('HINCRBY', COUNT, 'token', #chosen) - #chosen
    for n, one in ipairs(chosen) do
        local key, state, id = one[1], one[2], one[3]
        add(held, key, whole(token + n) .. ':' .. id)
        add(ends, whole(till), key)
        if id == '' then
            again[#again + 1] = key
        end
        leases[n] = { key, token + n, state[REF], one[4], state[ATTEMPTS], state[QUEUED] }
    end
    each(held, 'HSET', HELD)
    each(ends, 'ZADD', LEASED)
    each(again, 'ZREM', RETRY)
end

if #chosen == 0 and more == 1 and (i > 1 or j > 1) then
    more = 2
end
local due = redis.call('ZRANGEBYSCORE', RETRY, '(' .. whole(now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
due = tonumber(due or -1)
if next_fresh_due and (due < 0 or next_fresh_due < due) then
    due = next_fresh_due
end
local first_end = tonumber(redis.call('ZRANGE', LEASED, 0, 0, 'WITHSCORES')[2] or -1)
local counted = redis.call('HMGET', COUNT, 'w:' .. destination, 'w')
return { now, more, due, first_end, remade, unreadable, poison, tonumber(counted[1] or 0), tonumber(counted[2] or 0), leases }
