-- Stores entries with all their deliveries, each once. The mark of an entry, which is the entry itself, is written
-- last: whatever fails before it leaves nothing that a client's next try would take for stored.
--
-- ARGV: time, whose; channel, origin, partition; `append` or `import`; how many deliveries wait in other partitions,
-- and how many may wait in all; the number of destinations, each with its name, how many wait for it in other
-- partitions, how many may (-1: any number) and what happens then (`refuse` or `die`); the number of entries, each as
-- below.
-- Answers: for each entry 0 stored, 1 duplicate, {2, n} full with n waiting, {3, d, n} the destination d is full; then
-- the time, how many wait here, and for each destination how many wait here.

local now, shift = clock()
local channel, origin, partition, importing = arg(), arg(), tonumber(arg()), arg() == 'import'
local elsewhere, max = tonumber(arg()), tonumber(arg())

local caps, fields = {}, { 'w' }
for n = 1, tonumber(arg()) do
    caps[n] = { name = arg(), elsewhere = tonumber(arg()), max = tonumber(arg()), policy = arg() }
    fields[n + 1] = 'w:' .. caps[n].name
end

-- A key of another type would stop the script half way, so each is asked before anything is written: these fail then.
local SIZE = { hash = 'HLEN', zset = 'ZCARD', set = 'SCARD', stream = 'XLEN' }
local function is_of(kind, ...)
    for _, key in ipairs({ ... }) do
        redis.call(SIZE[kind], key)
    end
end
is_of('hash', DUPLICATE, DELIVERY, PAYLOAD, ATTEMPT, OUTBOX)
is_of('zset', JOURNAL, DEAD, DIED)
is_of('set', SCOPE)
for n = 1, #caps do
    is_of('stream', stream(n))
    is_of('zset', retry(n), age(n))
end
for i = FIXED + 4 * #caps + 1, #KEYS do
    is_of('hash', KEYS[i])
end

local counted = redis.call('HMGET', COUNT, unpack(fields))
for i, field in ipairs(fields) do
    if counted[i] and not string.match(counted[i], '^%-?%d+$') then
        -- A look finds out what it was.
        redis.call('HSET', COUNT, field, 0)
        counted[i] = 0
    end
end
local waiting = tonumber(counted[1] or 0)
for n, cap in ipairs(caps) do
    cap.waiting = tonumber(counted[n + 1] or 0)
end

local entries, refs = {}, {}
for i = 1, tonumber(arg()) do
    local entry = { ref = arg(), scope = arg(), received = tonumber(arg()), packed = arg(), duplicates = arg() }
    entry.deliveries, entry.patches = {}, {}
    for n = 1, tonumber(arg()) do
        entry.deliveries[n] = delivery_argument()
    end
    for n = 1, tonumber(arg()) do
        local one = { key = KEYS[tonumber(arg())], expires = tonumber(arg()), fields = {} }
        for f = 1, 3 * tonumber(arg()) do
            one.fields[f] = arg()
        end
        entry.patches[n] = one
    end
    entry.outbox = arg()
    entries[i], refs[i] = entry, entry.ref
end

-- What another store exported is due when it says.
if importing then
    shift = 0
end

local known = {}
for i, packed in ipairs(many(ENTRY, refs)) do
    if packed then
        known[refs[i]] = true
    end
end

-- Gives why there is no room; where its destination wishes so, a delivery without room is to die instead.
local function obstacle(entry)
    local due, adds = 0, {}
    for _, one in ipairs(entry.deliveries) do
        if one.place == 'fresh' or one.place == 'later' then
            local cap = caps[one.n]
            local waits_now = cap.elsewhere + cap.waiting + (adds[one.n] or 0)
            if cap.max >= 0 and waits_now + 1 > cap.max then
                if cap.policy == 'refuse' then
                    return { 3, one.n, cap.elsewhere + cap.waiting }
                end
                one.full = cap
            else
                adds[one.n] = (adds[one.n] or 0) + 1
                due = due + 1
            end
        end
    end
    if due > 0 and elsewhere + waiting + due > max then
        return { 2, elsewhere + waiting }
    end
    return nil
end

local into = batch()
local marks, journal, scopes, news = {}, {}, {}, {}
local answer = {}
for i, entry in ipairs(entries) do
    local full = not known[entry.ref] and not importing and obstacle(entry)
    if known[entry.ref] then
        answer[i] = 1
        if not importing then
            redis.call('HINCRBY', DUPLICATE, entry.ref, 1)
        end
    elseif full then
        answer[i] = full
    else
        answer[i] = 0
        known[entry.ref] = true
        for _, one in ipairs(entry.deliveries) do
            local cap = caps[one.n]
            if one.full then
                local state = cmsgpack.unpack(one.packed)
                one.place = 'dead'
                state[STATE], state[DIED_MS] = DEAD_STATE, entry.received
                state[REASON] = string.format(
                    'the queue of `%s` is full: %d deliveries wait, %d are allowed',
                    cap.name,
                    cap.elsewhere + cap.waiting,
                    cap.max
                )
                one.packed = cmsgpack.pack(state)
            end
            local due = store(into, one, shift)
            if due then
                cap.waiting = cap.waiting + 1
                waiting = waiting + 1
                hears(news, cap.name, due)
            end
        end
        for _, one in ipairs(entry.patches) do
            patch(one.key, entry.received, one.expires, one.fields)
        end
        if entry.outbox ~= '' then
            redis.call('HSET', OUTBOX, entry.ref, entry.outbox)
        end
        if entry.duplicates ~= '0' then
            redis.call('HSET', DUPLICATE, entry.ref, entry.duplicates)
        end
        scopes[entry.scope] = true
        add(journal, whole(math.max(0, entry.received + shift)), entry.ref)
        add(marks, entry.ref, entry.packed)
    end
end

flush(into)
for scope in pairs(scopes) do
    redis.call('SADD', SCOPE, scope)
end
each(journal, 'ZADD', JOURNAL)
each(marks, 'HSET', ENTRY)
tell(channel, origin, partition, news)

add(answer, now, waiting)
for _, cap in ipairs(caps) do
    answer[#answer + 1] = cap.waiting
end
return answer
