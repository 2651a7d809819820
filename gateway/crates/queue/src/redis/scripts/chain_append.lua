-- Adds entries to the end of the chained log, if it still ends where the caller thinks. Runs when the memory is full, too:
-- what is delivered makes room, and nothing is delivered that cannot be written down before.
--
-- KEYS: the log's ends, its entries. ARGV: `append`, or `begin` where an empty log may begin after any place; what the log
-- has to end with, number and hash; how many entries, each with its number, its hash and its value.
-- Answers: 1 if it was so, else 0; then number and hash that the log ends with now.

local ENDS, ENTRIES = KEYS[1], KEYS[2]
local how, seq, hash = arg(), arg(), arg()
local ends = redis.call('HMGET', ENDS, 'head_seq', 'head_hash')
local head_seq, head_hash = ends[1] or '0', ends[2] or string.rep('0', 64)
-- A key of another type would stop the script half way, so it is asked before anything is written.
redis.call('HLEN', ENTRIES)
if how == 'begin' and head_seq == '0' then
    redis.call('HSET', ENDS, 'base_seq', seq, 'base_hash', hash)
elseif head_seq ~= seq or head_hash ~= hash then
    return { 0, head_seq, head_hash }
end
for _ = 1, tonumber(arg()) do
    seq, hash = arg(), arg()
    redis.call('HSET', ENTRIES, seq, arg())
end
redis.call('HSET', ENDS, 'head_seq', seq, 'head_hash', hash)
return { 1, seq, hash }
