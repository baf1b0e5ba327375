--[[
  Assigns a prefix of a routed network to a host: the first of the candidates that the host has already, that is reserved for
  it, that nobody has, or whose host has no lease any more.

  Input
    KEYS[1]  missd:{V}:host:ID    string: "INCARNATION COUNTER VTEP", the lease of the caller
    KEYS[2]  missd:{V}:prefixes   hash: CIDR -> "host ID SINCE SEEN" or "reserved NAME"; "replid", "restored": see below
    KEYS[3…] missd:{V}:host:OTHER the lease of each HOLDER in ARGV, in their order
    ARGV[1]  ID
    ARGV[2]  incarnation of the caller
    ARGV[3]  how long nothing new is assigned after a failover, ms
    ARGV[4…] pairs of CIDR and HOLDER: the host whose prefix may be taken over if its lease has ended, or "" for none

  Output
    {"lease"}               this incarnation has no lease
    {"assigned", CIDR, N}   the host has this prefix; the server has N replicas that should have it, too
    {"settling", ms}        the server may have lost assignments: their hosts assert them before something new is assigned
    {"none"}                no candidate is free any more
]]
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^(%x+) ') ~= ARGV[2] then return { 'lease' } end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- The replication id changes when a server starts and when a replica is promoted (Redis, src/replication.c).
local info = redis.pcall('INFO', 'replication')
local replicas = type(info) == 'string' and string.match(info, 'connected_slaves:(%d+)') or '0'
local replid = type(info) == 'string' and string.match(info, 'master_replid:(%x+)')
if replid then
  local known = redis.call('HGET', KEYS[2], 'replid')
  if known ~= replid then redis.call('HSET', KEYS[2], 'replid', replid) end
  if known and known ~= replid then redis.call('HSET', KEYS[2], 'restored', string.format('%d', now)) end
end
local restored = tonumber(redis.call('HGET', KEYS[2], 'restored') or 0)
local settling = restored + ARGV[3] - now

local holders = 2
for i = 4, #ARGV, 2 do
  local cidr, holder = ARGV[i], ARGV[i + 1]
  local value = redis.call('HGET', KEYS[2], cidr)
  local host, since = string.match(value or '', '^host (%S+) ?(%d*)')
  if host == ARGV[1] then
    -- Written again, so that WAIT waits for it.
    redis.call('HSET', KEYS[2], cidr, string.format('host %s %s %d', ARGV[1], since ~= '' and since or '0', now))
    return { 'assigned', cidr, replicas }
  end
  if value == 'reserved ' .. ARGV[1] then return { 'assigned', cidr, replicas } end
  local free = not value
  if holder ~= '' then
    holders = holders + 1
    free = free or (host == holder and redis.call('EXISTS', KEYS[holders]) == 0)
  end
  if free then
    if settling > 0 then return { 'settling', settling } end
    redis.call('HSET', KEYS[2], cidr, string.format('host %s %d %d', ARGV[1], now, now))
    return { 'assigned', cidr, replicas }
  end
end
return { 'none' }
