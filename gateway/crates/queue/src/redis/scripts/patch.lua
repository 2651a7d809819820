-- Writes changes of profiles of one partition: those of entries that are stored in another, or of another store.
--
-- KEYS: the profiles. ARGV: `patch` or `import`; for each profile its entry's time, the expiry, the number of fields,
-- and each field's name, the time it was seen, and its value.
-- Answers: how many fields were written.

local importing = arg() == 'import'
local written = 0
for _, profile in ipairs(KEYS) do
    local received, expires, fields = tonumber(arg()), tonumber(arg()), {}
    for f = 1, 3 * tonumber(arg()) do
        fields[f] = arg()
    end
    written = written + patch(profile, received, expires, fields, importing)
end
return written
