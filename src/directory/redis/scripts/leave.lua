--[[
  Gives the lease of a host back. The host is forgotten at once where it has published nothing; otherwise it is reaped.

  Input
    KEYS[1]  missd:{V}:host:ID
    KEYS[2]  missd:{V}:hosts
    KEYS[3]  missd:{V}:owned:ID
    ARGV[1]  ID
    ARGV[2]  incarnation

  Output
    1, or 0 where another incarnation has the lease, or none
]]
local lease = redis.call('GET', KEYS[1])
if not lease or string.match(lease, '^(%x+) ') ~= ARGV[2] then return 0 end
redis.call('DEL', KEYS[1])
if redis.call('EXISTS', KEYS[3]) == 0 then redis.call('HDEL', KEYS[2], ARGV[1]) end
return 1
