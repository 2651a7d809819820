-- Makes the store's description where there is none.
--
-- KEYS: the description. ARGV: the format's version, the number of partitions.
-- Answers: the version and the number of partitions that the store has.

if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'format', 'partitions')
