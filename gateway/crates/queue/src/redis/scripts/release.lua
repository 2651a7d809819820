-- Gives leases back, or lets them go on.
--
-- ARGV: time, whose; channel, origin, partition; `release` or `renew`; when the leases end instead; the consumer; the
-- number of leases, each with its delivery's key, the token, its destination's number and name.
-- Answers: for each lease 1 held or 0 lost.

local _, shift = clock()
local channel, origin, partition = arg(), arg(), tonumber(arg())
local renewing, till, consumer = arg() == 'renew', tonumber(arg()) + shift, arg()
local answer, news = {}, {}
for i = 1, tonumber(arg()) do
    local key, wanted, n, destination = arg(), arg(), tonumber(arg()), arg()
    local token, id = lease_of(redis.call('HGET', HELD, key))
    answer[i] = 0
    if token == wanted then
        answer[i] = 1
        if renewing then
            redis.call('ZADD', leased(n), whole(till), key)
            if id ~= '' then
                -- Without its group, which somebody may have removed, the lease is good all the same.
                redis.pcall('XCLAIM', stream(n), GROUP, consumer, 0, id, 'JUSTID')
            end
        else
            local state = read(redis.call('HGET', DELIVERY, key))
            if is_delivery(state) then
                wait_again(n, key, state)
                end_lease(n, key, id)
            else
                -- It ends at once, and whoever leases next finds out.
                redis.call('ZADD', leased(n), 0, key)
            end
            hears(news, destination, 0)
        end
    end
end
tell(channel, origin, partition, news)
return answer
