-- Reads the chained log: its ends, and entries after a number.
--
-- KEYS: the log's ends, its entries. ARGV: the number; how many entries at most; after how many bytes no more follow.
-- Answers: number and hash of the base, and of the head; the hash of the entry before those that follow, or an empty text
-- where there is none; then number and value of each entry.

local ENDS, ENTRIES = KEYS[1], KEYS[2]
local after, max, bytes = tonumber(arg()), tonumber(arg()), tonumber(arg())
local ends = redis.call('HMGET', ENDS, 'base_seq', 'base_hash', 'head_seq', 'head_hash')
local start = string.rep('0', 64)
local base, head = tonumber(ends[1] or 0), tonumber(ends[3] or 0)
after = math.max(after, base)
local before = after == base and (ends[2] or start)
    or string.match(redis.call('HGET', ENTRIES, whole(after)) or '', '^%d+:(%x+):') or ''
local answer = { whole(base), ends[2] or start, whole(head), ends[4] or start, before }
local count = 0
-- Numbers that somebody removed are passed over.
for first = after + 1, head, 500 do
    local names = {}
    for seq = first, math.min(first + 499, head) do
        names[#names + 1] = whole(seq)
    end
    for i, value in ipairs(many(ENTRIES, names)) do
        if count >= max or bytes <= 0 then
            return answer
        end
        if value then
            count, bytes = count + 1, bytes - #value
            answer[#answer + 1] = names[i]
            answer[#answer + 1] = value
        end
    end
end
return answer
