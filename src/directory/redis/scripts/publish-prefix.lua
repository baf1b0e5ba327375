--[[
  Publishes the prefix of a host as a subnet lease, and asserts its assignment. Writes nothing when all is as it should be.

  Input
    KEYS[1]  missd:{V}:host:ID      string: "INCARNATION COUNTER VTEP", the lease of the caller
    KEYS[2]  missd:{V}:prefixes     hash: CIDR -> "host ID SINCE SEEN" or "reserved NAME"; "record CIDR" -> published value
    KEYS[3]  missd:{V}:subnet:CIDR  string: "MAC VTEP"
    KEYS[4]  missd:{V}:subnets      set of CIDRs
    ARGV[1]  ID
    ARGV[2]  incarnation of the caller
    ARGV[3]  CIDR
    ARGV[4]  "MAC VTEP"
    ARGV[5]  since when the caller has the prefix without a break, ms on the server's clock, or "": there was a break
    ARGV[6]  age at which SEEN is written again, ms: it tells whose prefix is reused first

  Output
    {"lease"}           this incarnation has no lease
    {"taken", NAME}     another host has the prefix, and had it earlier, or it is reserved for another
    {"ok", since}       the record says so
    {"manual", since}   a record that was written by hand says something else, and stays
]]
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^(%x+) ') ~= ARGV[2] then return { 'lease' } end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local cidr = ARGV[3]
local mine = tonumber(ARGV[5])

local value = redis.call('HGET', KEYS[2], cidr)
local host, since, seen = string.match(value or '', '^host (%S+) ?(%d*) ?(%d*)')
since = tonumber(since or '') or 0
seen = tonumber(seen or '') or 0
local reserved = value and not host
if reserved and value ~= 'reserved ' .. ARGV[1] then return { 'taken', value } end
if host and host ~= ARGV[1] then
  if not mine or since <= mine then return { 'taken', host } end
  host = nil
end
if not reserved then
  if not host then since = mine or now end
  if not host or now - seen >= tonumber(ARGV[6]) then
    redis.call('HSET', KEYS[2], cidr, string.format('host %s %d %d', ARGV[1], since, now))
  end
end

-- A key of another type was not written by missd.
local record = redis.pcall('GET', KEYS[3])
local published = redis.call('HGET', KEYS[2], 'record ' .. cidr)
if record and record ~= ARGV[4] and record ~= published then return { 'manual', string.format('%d', since) } end
if record ~= ARGV[4] then redis.call('SET', KEYS[3], ARGV[4]) end
if published ~= ARGV[4] then redis.call('HSET', KEYS[2], 'record ' .. cidr, ARGV[4]) end
if redis.call('SISMEMBER', KEYS[4], cidr) == 0 then redis.call('SADD', KEYS[4], cidr) end
return { 'ok', string.format('%d', since) }
