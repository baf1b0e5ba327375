--[[
  Withdraws the subnet lease of a prefix that a host has, and gives the prefix back if asked.

  Input
    KEYS[1]  missd:{V}:prefixes     hash: CIDR -> "host ID SINCE SEEN" or "reserved NAME"; "record CIDR" -> published value
    KEYS[2]  missd:{V}:subnet:CIDR  string: "MAC VTEP"
    KEYS[3]  missd:{V}:subnets      set of CIDRs
    KEYS[4]  missd:{V}:host:ID      string: the lease of the host
    KEYS[5]  missd:{V}:hosts        hash: ID -> INCARNATION
    ARGV[1]  ID
    ARGV[2]  CIDR
    ARGV[3]  "1" to give the prefix back; a reserved one stays reserved
    ARGV[4]  incarnation of a host that has ended, or "": nothing is done if the host has a lease, or had another incarnation since

  Output
    number of records that were removed, or -1 where nothing was to be done
]]
if ARGV[4] ~= '' then
  if redis.call('EXISTS', KEYS[4]) == 1 or redis.call('HGET', KEYS[5], ARGV[1]) ~= ARGV[4] then return -1 end
end
local cidr = ARGV[2]
local value = redis.call('HGET', KEYS[1], cidr)
local host = string.match(value or '', '^host (%S+)')
if host ~= ARGV[1] and value ~= 'reserved ' .. ARGV[1] then return -1 end
if host and ARGV[3] == '1' then redis.call('HDEL', KEYS[1], cidr) end

local published = redis.call('HGET', KEYS[1], 'record ' .. cidr)
if not published then return 0 end
redis.call('HDEL', KEYS[1], 'record ' .. cidr)
if redis.pcall('GET', KEYS[2]) ~= published then return 0 end
redis.call('SREM', KEYS[3], cidr)
return redis.call('DEL', KEYS[2])
