--[[
  Publishes a guest: its `mac:` record and the `ip:` records of its addresses. Writes only what differs.

  Input
    KEYS[1]  missd:{V}:host:ID     lease of the publishing host
    KEYS[2]  missd:{V}:owner:MAC   hash, the companion of the records: host, incarnation, epoch, vtep, kind, moves, since,
                                   first, frozen; `mac` = 1 where the `mac:` record is the host's; `ip:ADDRESS` = 1 each
    KEYS[3]  missd:{V}:owned:ID    set of the MACs that the host published
    KEYS[4]  missd:{V}:mac:MAC
    KEYS[5…] missd:{V}:ip:ADDRESS  one for each address
    ARGV[1]  ID
    ARGV[2]  incarnation
    ARGV[3]  MAC
    ARGV[4]  kind: "learned" or "attached"
    ARGV[5]  "1" to take over addresses whose host has no lease any more
    ARGV[6…] the addresses, in the order of their keys
  Reads and, where it takes over, writes the keys of another MAC that has one of the addresses; they are in the same slot.

  Output
    {"lease"}                the host has no lease, or another incarnation of it has
    {"moved", HOST, EPOCH}   another host has the MAC: move.lua takes it
    {"frozen", HOST, EPOCH}  another host has it, and it moved too often to be taken now
    {"ok", CHANGED, MANUAL, EPOCH, {ADDRESS RESULT}…}
      CHANGED  1 if a record was written
      MANUAL   1 if the `mac:` record was written by hand, and stays
      ADDRESS RESULT
        {"ok"}
        {"manual"}           the record has no companion that says the same: it was written by hand, and stays
        {"duplicate", MAC, HOST}  another MAC has the address
        {"ended", MAC, HOST}      another MAC has it, but the lease of its host has ended
]]
local id, incarnation, mac, kind = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local lease = redis.call('GET', KEYS[1])
local holder, vtep = string.match(lease or '', '^(%x+) %d+ (%S+)$')
if holder ~= incarnation then return { 'lease' } end

-- What every key of this VNI begins with.
local base = string.sub(KEYS[2], 1, -(#'owner:' + #mac + 1))

local function companion(key)
  local flat = redis.pcall('HGETALL', key)
  local fields = {}
  if flat.err then return fields end
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

-- Of a key of another type: some text that no companion says.
local function record(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'table' and '?' or value
end

local function without_addresses(key)
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 3) == 'ip:' then return false end
  end
  return true
end

local own = companion(KEYS[2])
-- Without a host: what withdraw.lua has left of a MAC that moved.
if own.epoch and own.host ~= id then
  local time = redis.call('TIME')
  local frozen = tonumber(own.frozen) > time[1] * 1000 + math.floor(time[2] / 1000)
  if frozen and kind == 'learned' and own.first ~= id then
    return { 'frozen', own.host or own.first, tonumber(own.epoch) }
  end
  if own.host then return { 'moved', own.host, tonumber(own.epoch) } end
end
local epoch = tonumber(own.epoch or 0) + (own.host and 0 or 1)

local changed = 0
local set = {}
local unset = {}
local results = {}

-- Takes an address from a MAC whose host is gone, and what remains of that MAC's records if it was the last.
local function take_over(address, rival, theirs)
  local key = base .. 'owner:' .. rival
  redis.call('HDEL', key, 'ip:' .. address)
  if not without_addresses(key) then return end
  local macKey = base .. 'mac:' .. rival
  if theirs.mac and record(macKey) == theirs.vtep then redis.call('DEL', macKey) end
  redis.call('DEL', key)
  redis.call('SREM', base .. 'owned:' .. theirs.host, rival)
end

local function publish(key, address)
  local field = 'ip:' .. address
  local wanted = mac .. ' ' .. vtep
  local value = record(key)
  if value and own[field] and value == mac .. ' ' .. own.vtep then
    if value ~= wanted then
      redis.call('SET', key, wanted)
      changed = 1
    end
    return { 'ok' }
  end
  if value then
    local rival = string.match(value, '^(%S+) ')
    local theirs = rival and rival ~= mac and companion(base .. 'owner:' .. rival) or {}
    if not theirs[field] or value ~= rival .. ' ' .. theirs.vtep then
      if own[field] then unset[#unset + 1] = field end
      return { 'manual' }
    end
    if redis.call('EXISTS', base .. 'host:' .. theirs.host) == 1 then
      return { 'duplicate', rival, theirs.host }
    end
    if ARGV[5] ~= '1' then return { 'ended', rival, theirs.host } end
    take_over(address, rival, theirs)
  end
  redis.call('SET', key, wanted)
  changed = 1
  set[field] = '1'
  return { 'ok' }
end

local published = #KEYS == 4
for i = 5, #KEYS do
  local result = publish(KEYS[i], ARGV[i + 1])
  if result[1] == 'ok' then published = true end
  results[#results + 1] = result
end

local manual = 0
-- A MAC none of whose addresses it may have is not written either.
if own.host or published then
  local value = record(KEYS[4])
  if not value or (own.mac and value == own.vtep) then
    if value ~= vtep then
      redis.call('SET', KEYS[4], vtep)
      changed = 1
    end
    set.mac = '1'
  else
    manual = 1
    unset[#unset + 1] = 'mac'
  end
  set.host, set.incarnation, set.vtep, set.kind = id, incarnation, vtep, kind
  if not own.host then
    set.epoch = string.format('%d', epoch)
    set.since, set.first, set.frozen = own.since or '0', own.first or id, own.frozen or '0'
    set.moves = string.format('%d', tonumber(own.moves or 0) + (set.first == id and 0 or 1))
    if own.epoch then redis.call('PERSIST', KEYS[2]) end
  end
  for field, value in pairs(set) do
    if own[field] ~= value then redis.call('HSET', KEYS[2], field, value) end
  end
  for _, field in ipairs(unset) do
    if own[field] then redis.call('HDEL', KEYS[2], field) end
  end
  redis.call('SADD', KEYS[3], mac)
end

local reply = { 'ok', changed, manual, epoch }
for _, result in ipairs(results) do reply[#reply + 1] = result end
return reply
