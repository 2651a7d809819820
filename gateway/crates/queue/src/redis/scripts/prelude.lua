-- Shared by the scripts that change what is stored: what an entry and a delivery are, and the steps that several of
-- them take.

-- Fields of a delivery's state; pack.rs has the same.
local REF, DESTINATION, STATE, DUE, QUEUED, ATTEMPTS, RECORDED, BYTES, DIED_MS, REASON, LAPSES =
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
local WAITING, DELIVERED, DEAD_STATE, CANCELLED = 0, 1, 2, 3
-- Fields of an entry.
local RECEIVED, AFFINITY, DELIVERIES, RECORD = 1, 2, 3, 4

-- Calls a command with all of a table's values, a bounded number at a time: an even one, so that pairs stay pairs.
local function each(values, command, key, ...)
    for first = 1, #values, CHUNK do
        local call = { command, key, ... }
        for i = first, math.min(first + CHUNK - 1, #values) do
            call[#call + 1] = values[i]
        end
        redis.call(unpack(call))
    end
end

local function many(key, fields)
    local values = {}
    for first = 1, #fields, CHUNK do
        local last = math.min(first + CHUNK - 1, #fields)
        local some = redis.call('HMGET', key, unpack(fields, first, last))
        for i = 1, last - first + 1 do
            values[first + i - 1] = some[i]
        end
    end
    return values
end

local function add(list, ...)
    for _, value in ipairs({ ... }) do
        list[#list + 1] = value
    end
end

-- A packed value, or nil for what cannot be read.
local function read(packed)
    if not packed then
        return nil
    end
    local ok, value = pcall(cmsgpack.unpack, packed)
    if ok and type(value) == 'table' then
        return value
    end
    return nil
end

-- Whether all fields are of their types: what others wrote into the hash is not taken for a state.
local TYPES = { 'string', 'string', 'number', 'number', 'number', 'number', 'number', 'number', 'number', 'string', 'number' }
local function is_delivery(state)
    if not state then
        return false
    end
    for i, kind in ipairs(TYPES) do
        if type(state[i]) ~= kind then
            return false
        end
    end
    return true
end

local function dead_member(destination, key) return #destination .. ':' .. destination .. key end

-- One more or one less that waits.
local function waits(destination, change)
    redis.call('HINCRBY', COUNT, 'w', change)
    redis.call('HINCRBY', COUNT, 'w:' .. destination, change)
end

-- Removes what was leased from the stream, if it was there: acknowledged and deleted in one, so that nothing pending
-- is ever trimmed and nothing settled stays.
local function leave_stream(n, id)
    if id ~= '' then
        redis.call('XACK', stream(n), GROUP, id)
        redis.call('XDEL', stream(n), id)
    end
end

-- The token and the stream's id of a lease.
local function lease_of(held)
    if not held then
        return nil, ''
    end
    local token, id = string.match(held, '^(%d+):(.*)$')
    return token, id or ''
end

local function end_lease(n, key, id)
    redis.call('ZREM', leased(n), key)
    redis.call('HDEL', HELD, key)
    leave_stream(n, id)
end

-- Whatever has been leased once waits with the retries, where it is due when it was.
local function wait_again(n, key, state)
    redis.call('ZADD', retry(n), whole(state[DUE]), key)
    redis.call('ZADD', age(n), whole(state[QUEUED]), key)
end

local function die(key, state, now, reason)
    state[STATE], state[DIED_MS], state[REASON] = DEAD_STATE, now, reason
    redis.call('ZADD', DEAD, 0, dead_member(state[DESTINATION], key))
    redis.call('ZADD', DIED, whole(now), key)
    redis.call('HINCRBY', COUNT, 'd:' .. state[DESTINATION], 1)
end

-- Takes a dead letter off the lists of the dead.
local function unbury(key, state)
    redis.call('ZREM', DEAD, dead_member(state[DESTINATION], key))
    redis.call('ZREM', DIED, key)
    redis.call('HINCRBY', COUNT, 'd:' .. state[DESTINATION], -1)
end

-- Takes a dead letter that cannot be read off the lists of the dead: of which destination it was is unknown.
local function unbury_unreadable(key)
    redis.call('ZREM', DIED, key)
    for _, field in ipairs(redis.call('HKEYS', COUNT)) do
        local destination = string.match(field, '^d:(.*)$')
        if destination and redis.call('ZREM', DEAD, dead_member(destination, key)) == 1 then
            redis.call('HINCRBY', COUNT, field, -1)
        end
    end
end

local function attempt_field(key, n) return key .. struct.pack('>I4', n) end

-- Deletes a delivery with its attempts, also one whose state cannot be read; its entry still names it.
local function forget(key, state)
    redis.call('HDEL', DELIVERY, key)
    redis.call('HDEL', PAYLOAD, key)
    local n, recorded = 1, is_delivery(state) and state[RECORDED] or 0
    while redis.call('HDEL', ATTEMPT, attempt_field(key, n)) == 1 or n < recorded do
        n = n + 1
    end
end

-- What cannot be read goes to the dead letters alone, and holds up nothing behind it. It is an entry of its own, as
-- nobody knows whose it was.
local function bury_unreadable(key, destination, name, now, payload, reason)
    local scope = '#unreadable'
    local ref = #scope .. ':' .. scope .. destination .. ' ' .. name
    local recorded = 0
    while redis.call('HEXISTS', ATTEMPT, attempt_field(key, recorded + 1)) == 1 do
        recorded = recorded + 1
    end
    local state = { ref, destination, DEAD_STATE, now, now, 0, recorded, #payload, now, '', 0 }
    die(key, state, now, reason)
    redis.call('HSET', PAYLOAD, key, payload)
    redis.call('HSET', DELIVERY, key, cmsgpack.pack(state))
    redis.call('SADD', SCOPE, scope)
    redis.call('ZADD', JOURNAL, whole(now), ref)
    redis.call('HSET', ENTRY, ref, cmsgpack.pack({ now, '', key, '' }))
end

-- The same for a delivery that waits; its payload is kept.
local function bury_waiting(n, key, destination, now)
    local payload = redis.call('HGET', PAYLOAD, key) or ''
    local name = string.gsub(key, '.', function(c) return string.format('%02x', string.byte(c)) end)
    redis.call('ZREM', retry(n), key)
    redis.call('ZREM', age(n), key)
    waits(destination, -1)
    bury_unreadable(key, destination, name, now, payload, 'what is stored of the delivery cannot be read')
end

-- Changes which deliveries an entry names.
local function rename(ref, gone, new)
    local entry = read(redis.call('HGET', ENTRY, ref))
    if not entry then
        return
    end
    local keys = {}
    for first = 1, #entry[DELIVERIES], 16 do
        local key = string.sub(entry[DELIVERIES], first, first + 15)
        if key ~= gone then
            keys[#keys + 1] = key
        end
    end
    for _, key in ipairs(new) do
        keys[#keys + 1] = key
    end
    entry[DELIVERIES] = table.concat(keys)
    redis.call('HSET', ENTRY, ref, cmsgpack.pack(entry))
end

-- Reads a delivery of the arguments: its key, its destination's number, where it goes (`fresh`, `later`, `dead`,
-- `done`), its state, its payload and the records of its attempts.
local function delivery_argument()
    local one = { key = arg(), n = tonumber(arg()), place = arg(), packed = arg(), payload = arg(), records = {} }
    for i = 1, tonumber(arg()) do
        one.records[i] = arg()
    end
    return one
end

-- What a script is about to write, gathered so that one command takes all of it.
local function batch() return { states = {}, payloads = {}, records = {}, waiting = {}, total = 0 } end

-- Adds a delivery; gives when it is due, 0 for at once and nil for never.
local function store(into, one, shift)
    local due
    local state = cmsgpack.unpack(one.packed)
    -- A little of what the clocks differ does not matter to what is due at once.
    if (one.place == 'later' and shift ~= 0) or (one.place == 'fresh' and math.abs(shift) > 1000) then
        state[DUE] = math.max(0, state[DUE] + shift)
        one.packed = cmsgpack.pack(state)
    end
    if one.place == 'dead' and shift ~= 0 then
        state[DIED_MS] = math.max(0, state[DIED_MS] + shift)
        one.packed = cmsgpack.pack(state)
    end
    if one.place == 'fresh' then
        redis.call('XADD', stream(one.n), '*', 'k', one.key)
        due = 0
    elseif one.place == 'later' then
        wait_again(one.n, one.key, state)
        due = state[DUE]
    elseif one.place == 'dead' then
        die(one.key, state, state[DIED_MS], state[REASON])
    end
    if due then
        local destination = state[DESTINATION]
        into.waiting[destination] = (into.waiting[destination] or 0) + 1
        into.total = into.total + 1
    end
    for i, record in ipairs(one.records) do
        add(into.records, attempt_field(one.key, i), record)
    end
    add(into.payloads, one.key, one.payload)
    add(into.states, one.key, one.packed)
    return due
end

local function flush(from)
    each(from.records, 'HSET', ATTEMPT)
    each(from.payloads, 'HSET', PAYLOAD)
    each(from.states, 'HSET', DELIVERY)
    for destination, count in pairs(from.waiting) do
        redis.call('HINCRBY', COUNT, 'w:' .. destination, count)
    end
    if from.total > 0 then
        redis.call('HINCRBY', COUNT, 'w', from.total)
    end
end
