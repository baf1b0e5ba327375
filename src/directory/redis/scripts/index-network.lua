--[[
  Changes the VNI of a name in the index of networks, if the index says what the caller expects.

  Input
    KEYS[1]  missd:networks   hash: name -> VNI
    ARGV[1]  name
    ARGV[2]  expected VNI, or "": the name is not there
    ARGV[3]  VNI, or "" to remove the name

  Output
    the VNI before, or ""
]]
local before = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if before == ARGV[2] and before ~= ARGV[3] then
  if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
  else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
  end
end
return before
