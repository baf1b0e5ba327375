--[[
  Renews the lease of a host in one VNI, or takes it.

  Input
    KEYS[1]  missd:{V}:host:ID   string with a TTL: "INCARNATION COUNTER VTEP"
    KEYS[2]  missd:{V}:hosts     hash: ID -> INCARNATION of hosts that took a lease and are not reaped yet
    ARGV[1]  ID
    ARGV[2]  incarnation of the caller
    ARGV[3]  counter: one more than in the caller's previous attempt
    ARGV[4]  VTEP of the caller
    ARGV[5]  length of the lease, ms
    ARGV[6]  "1" to take the lease of another incarnation with the same VTEP (a restart), or one that nobody has
    ARGV[7]  an earlier incarnation of the caller itself, or "": the caller has another VTEP now

  Output
    {"renewed"}  {"taken"}
    {"gone"}            nobody has the lease, and it was not to be taken
    {"displaced"}       another incarnation with the same VTEP has it
    {"refused", VTEP}   a host with another VTEP has it
    {"cloned"}          another process has the same incarnation: the counter was used already. An attempt whose reply was
                        lost leaves a gap in the counters, so a counter must be higher than the stored one, not its successor.
]]
local function hold()
  redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4], 'PX', ARGV[5])
  if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
end

local take = ARGV[6] == '1'
local lease = redis.call('GET', KEYS[1])
if not lease then
  if not take then return { 'gone' } end
  hold()
  return { 'taken' }
end

local incarnation, counter, vtep = string.match(lease, '^(%x+) (%d+) (%S+)$')
if incarnation == ARGV[2] then
  if vtep ~= ARGV[4] then return { 'refused', vtep } end
  if tonumber(ARGV[3]) <= tonumber(counter) then return { 'cloned' } end
  hold()
  return { 'renewed' }
end
if take and (vtep == ARGV[4] or incarnation == nil or incarnation == ARGV[7]) then
  hold()
  return { 'taken' }
end
if vtep == ARGV[4] then return { 'displaced' } end
return { 'refused', vtep or '' }
