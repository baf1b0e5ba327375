--[[
  Removes records of a host whose lease has ended, some MACs at a time; the last piece forgets the host.

  Input
    KEYS[1]  missd:{V}:host:DEAD   its lease
    KEYS[2]  missd:{V}:hosts
    KEYS[3]  missd:{V}:owned:DEAD
    ARGV[1]  DEAD
    ARGV[2]  its incarnation, as the caller read it from the hosts
    ARGV[3]  most MACs to be removed
  Removes `owner:`, `mac:` and `ip:` keys of the MACs in KEYS[3]; they are in the same slot. Records that say something else
  than the companion were written by hand, and stay.

  Output
    {REMOVED, LEFT}  in MACs; {0, 0} as well where the host has a lease again, or another incarnation: it has returned
]]
local dead = ARGV[1]
if redis.call('EXISTS', KEYS[1]) == 1 or redis.call('HGET', KEYS[2], dead) ~= ARGV[2] then return { 0, 0 } end

local base = string.sub(KEYS[3], 1, -(#'owned:' + #dead + 1))
local removed = 0
for _, mac in ipairs(redis.call('SRANDMEMBER', KEYS[3], ARGV[3])) do
  local owner = base .. 'owner:' .. mac
  local own = {}
  local flat = redis.call('HGETALL', owner)
  for i = 1, #flat, 2 do own[flat[i]] = flat[i + 1] end
  if own.host == dead then
    for field, _ in pairs(own) do
      if string.sub(field, 1, 3) == 'ip:' and redis.pcall('GET', base .. field) == mac .. ' ' .. own.vtep then
        redis.call('DEL', base .. field)
      end
    end
    if own.mac and redis.pcall('GET', base .. 'mac:' .. mac) == own.vtep then redis.call('DEL', base .. 'mac:' .. mac) end
    redis.call('DEL', owner)
    removed = removed + 1
  end
  redis.call('SREM', KEYS[3], mac)
end

local left = redis.call('SCARD', KEYS[3])
if left == 0 then redis.call('HDEL', KEYS[2], dead) end
return { removed, left }
