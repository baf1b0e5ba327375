--[[
  Takes a MAC with all its addresses from the host that has it. A MAC that was learned moves five times in 180 s; the sixth
  time, the host that had it first keeps it, or gets it back, and keeps it for 180 s (RFC 7432, 15.1). A MAC that was
  attached is not damped.

  Input
    KEYS[1]  missd:{V}:host:ID     lease of the host that takes it
    KEYS[2]  missd:{V}:owner:MAC   companion, see publish.lua
    KEYS[3]  missd:{V}:owned:ID
    KEYS[4]  missd:{V}:mac:MAC
    KEYS[5]  missd:{V}:owned:OLD   of the host that has it
    ARGV[1]  ID
    ARGV[2]  incarnation
    ARGV[3]  MAC
    ARGV[4]  kind
    ARGV[5]  OLD
    ARGV[6]  epoch that the caller saw
  Writes the `ip:` records that the companion names; they are in the same slot.

  Output
    {"lease"}                the host has no lease, or another incarnation of it has
    {"stale", HOST, EPOCH}   the MAC has another host or another epoch by now; HOST is "" where nobody has it
    {"frozen", HOST, EPOCH}
    {"ok", EPOCH}            with the new epoch
]]
local WINDOW, MOST_MOVES = 180000, 5

local id, incarnation, mac, kind, old = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local lease = redis.call('GET', KEYS[1])
local holder, vtep = string.match(lease or '', '^(%x+) %d+ (%S+)$')
if holder ~= incarnation then return { 'lease' } end

local own = {}
local flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do own[flat[i]] = flat[i + 1] end
local epoch = tonumber(own.epoch or 0)
if own.host ~= old or own.host == id or epoch ~= tonumber(ARGV[6]) then
  return { 'stale', own.host or '', epoch }
end

local moves, since, frozen = tonumber(own.moves), tonumber(own.since), tonumber(own.frozen)
local first = own.first
if kind == 'learned' then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if frozen <= now and now - since >= WINDOW then
    moves, since, first, frozen = 0, now, old, 0
  end
  moves = moves + 1
  if moves > MOST_MOVES and frozen <= now then frozen = now + WINDOW end
  if frozen > now and id ~= first then
    if frozen ~= tonumber(own.frozen) then
      redis.call('HSET', KEYS[2], 'frozen', string.format('%d', frozen), 'moves', moves)
    end
    return { 'frozen', old, epoch }
  end
end

-- Of a key of another type: some text that no companion says.
local function record(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'table' and '?' or value
end

local base = string.sub(KEYS[2], 1, -(#'owner:' + #mac + 1))
local before, after = mac .. ' ' .. own.vtep, mac .. ' ' .. vtep
for field, _ in pairs(own) do
  if string.sub(field, 1, 3) == 'ip:' then
    local key = base .. field
    local value = record(key)
    if value and value ~= before then redis.call('HDEL', KEYS[2], field)
    elseif value ~= after then redis.call('SET', key, after) end
  end
end

local value = record(KEYS[4])
if not value or (own.mac and value == own.vtep) then
  if value ~= vtep then redis.call('SET', KEYS[4], vtep) end
  redis.call('HSET', KEYS[2], 'mac', '1')
elseif own.mac then redis.call('HDEL', KEYS[2], 'mac') end

redis.call('HSET', KEYS[2], 'host', id, 'incarnation', incarnation, 'vtep', vtep, 'kind', kind, 'epoch', epoch + 1,
  'moves', moves, 'since', string.format('%d', since), 'first', first, 'frozen', string.format('%d', frozen))
redis.call('SREM', KEYS[5], mac)
redis.call('SADD', KEYS[3], mac)
return { 'ok', epoch + 1 }
