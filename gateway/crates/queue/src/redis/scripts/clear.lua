-- Takes patches out of the outbox: they have been written.
--
-- ARGV: the entries' references.

each(ARGV, 'HDEL', OUTBOX)
return #ARGV
