-- Shared by all scripts: the keys of a partition, the arguments, the time, the others, and profiles.
--
-- KEYS are the partition's fixed keys, then four for each destination that the script may touch, then others. Every
-- key that a script touches is declared, so that a cluster that moves the partition's slot refuses the whole call.

local ENTRY, JOURNAL, DUPLICATE, SCOPE, DELIVERY, PAYLOAD = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local ATTEMPT, HELD, DEAD, DIED, COUNT, OUTBOX = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local FIXED, GROUP = 12, 'workers'

-- Lua hands over so many values of a table at once.
local CHUNK = 4000

local at = 0
local function arg()
    at = at + 1
    if at > #ARGV then
        error('a script was called with too few arguments')
    end
    return ARGV[at]
end

-- Reads the first two arguments: the caller's time, and whether the server's counts instead. Gives the time that
-- counts, and what to add to the caller's other times.
local by_server = false
local function clock()
    local told, whose = tonumber(arg()), arg()
    if whose ~= 'server' then
        return told, 0
    end
    by_server = true
    local time = redis.call('TIME')
    local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
    return now, now - told
end

local function stream(n) return KEYS[FIXED + 4 * n - 3] end
local function retry(n) return KEYS[FIXED + 4 * n - 2] end
local function leased(n) return KEYS[FIXED + 4 * n - 1] end
local function age(n) return KEYS[FIXED + 4 * n] end

-- Whole numbers as text: Lua would write large ones with an exponent.
local function whole(number) return string.format('%.0f', number) end

-- Notes that a destination has something due then; the earliest counts.
local function hears(news, destination, due)
    if not news[destination] or due < news[destination] then
        news[destination] = due
    end
end

-- Tells the other processes that destinations may have something due, each with the time. Whoever may not publish is
-- slower to be heard, and loses nothing: the others look for themselves.
local function tell(channel, origin, partition, news)
    local message = { origin, partition }
    for destination, due in pairs(news) do
        message[#message + 1] = destination
        message[#message + 1] = due
    end
    if #message > 2 then
        redis.pcall('PUBLISH', channel, cmsgpack.pack(message))
    end
end

-- Merges fields into a profile: of two, the one seen later wins, and of equally old ones the later written, or where
-- an import writes the one that is here. What has expired is no rival. The key outlives the fields by a day, so that a
-- clock that is late still finds them. Gives how many fields were written.
local function patch(profile, received, expires, fields, importing)
    local written = 0
    for i = 1, #fields, 3 do
        local name, seen, value = fields[i], tonumber(fields[i + 1]), fields[i + 2]
        local known = redis.call('HGET', profile, name)
        local known_seen, known_expires = string.match(known or '', '^(%d+):(%d+):')
        known_seen, known_expires = tonumber(known_seen), tonumber(known_expires)
        local is_newer = not known_seen or known_seen < seen or (known_seen == seen and not importing)
        if is_newer or known_expires <= received then
            redis.call('HSET', profile, name, whole(seen) .. ':' .. whole(expires) .. ':' .. value)
            written = written + 1
        end
    end
    -- Another store does not tell when the fields were written.
    local from = importing and tonumber(redis.call('TIME')[1]) * 1000 or received
    local life = math.max(0, expires - from) + 86400000
    if redis.call('PTTL', profile) < life then
        redis.call('PEXPIRE', profile, whole(life))
    end
    return written
end

