--[[
  Withdraws addresses of a MAC, or the MAC with all of them, if the host has published them. Records that say something else
  than the companion were written by hand, and stay.

  Input
    KEYS[1]  missd:{V}:host:ID     lease of the host
    KEYS[2]  missd:{V}:owner:MAC   companion, see publish.lua
    KEYS[3]  missd:{V}:owned:ID
    KEYS[4]  missd:{V}:mac:MAC
    ARGV[1]  ID
    ARGV[2]  incarnation
    ARGV[3]  MAC
    ARGV[4…] addresses; none for all
  Removes the `ip:` records that the companion names; they are in the same slot. The `mac:` record goes with the last one,
  and so does the companion. Of a MAC that has moved, epoch, moves, since, first and frozen stay for 180 s.

  Output
    number of records that were removed; 0 as well where the host has no lease, or another host has the MAC
]]
local WINDOW = 180000

local id, incarnation, mac = ARGV[1], ARGV[2], ARGV[3]
local lease = redis.call('GET', KEYS[1])
if string.match(lease or '', '^%x+') ~= incarnation then return 0 end

local own = {}
local flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do own[flat[i]] = flat[i + 1] end
if own.host ~= id then return 0 end

local doomed = {}
for i = 4, #ARGV do doomed['ip:' .. ARGV[i]] = true end
local all = #ARGV == 3

local base = string.sub(KEYS[2], 1, -(#'owner:' + #mac + 1))
local removed, left, touched = 0, 0, all
for field, _ in pairs(own) do
  if string.sub(field, 1, 3) == 'ip:' then
    if all or doomed[field] then
      touched = true
      if redis.pcall('GET', base .. field) == mac .. ' ' .. own.vtep then
        removed = removed + redis.call('DEL', base .. field)
      end
      redis.call('HDEL', KEYS[2], field)
    else
      left = left + 1
    end
  end
end
if touched and left == 0 then
  if own.mac and redis.pcall('GET', KEYS[4]) == own.vtep then removed = removed + redis.call('DEL', KEYS[4]) end
  -- The moves of a MAC still count when it is published again: a guest that forges it would otherwise begin at none.
  if tonumber(own.moves or 0) > 0 then
    redis.call('HDEL', KEYS[2], 'host', 'incarnation', 'vtep', 'kind', 'mac')
    redis.call('PEXPIRE', KEYS[2], WINDOW)
  else
    redis.call('DEL', KEYS[2])
  end
  redis.call('SREM', KEYS[3], mac)
end
return removed
