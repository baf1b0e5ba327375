--[[
  Writes the record of a network that the server has lost, as a host that is joined remembers it.

  Input
    KEYS[1]  missd:{V}:network    string, JSON
    KEYS[2]  missd:{V}:prefixes   hash; "restored": when, ms on the server's clock. Nothing new is assigned for a while
    ARGV[1]  JSON
    ARGV[2]  "1" for a routed network: prefixes were lost, too

  Output
    the record that is there, or "" when it was written
]]
local record = redis.call('GET', KEYS[1])
if record then return record end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[2] ~= '1' then return '' end
local time = redis.call('TIME')
redis.call('HSET', KEYS[2], 'restored', string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000)))
return ''
