/**
 * Every provider as it stands. Where it is also an instance's heartbeat: who else is there, and the end of the leases of
 * those who are not any more. Their calls may have been counted by the vendor, so they count as they were reserved.
 *
 * KEYS: meta, the instances, this instance's leases, the sign that somebody waits, the leases of the dead, the providers.
 * ARGV: instance, flags, for how many ms an instance is believed to be there, how many dead there are, their names, the
 * providers' names.
 * Answers a row of figures and the providers' rows, then who is there and when each was last heard of, who is not, this instance's leases, and what has
 * changed.
 */
export const snapshot = `
local beats, waits, leaves = ARGV[2]:byte(1) == 49, ARGV[2]:byte(2) == 49, ARGV[2]:byte(3) == 49
local ttl, dead = tonumber(ARGV[3]), tonumber(ARGV[4])
local first = 5 + dead
local names = {}
for index = first, #KEYS do names[KEYS[index]] = ARGV[4 + dead + index - first + 1] end

local function lost(lease)
  local reservedAtMs, input, output, epoch = undo('<dddd', lease)
  local key = lease:sub(33)
  local name = names[key]
  -- A provider that this instance does not know is left to one that does.
  if not name then return false end
  local p = look(key)
  hold(p, input, output, -1)
  local inputAt = min(now, reservedAtMs + $TRANSIT)
  addMinute(key, p, inputAt, 1, input, 0)
  addMinute(key, p, now, 0, 0, output)
  addDay(key, p, inputAt, 1, input)
  addDay(key, p, now, 0, output)
  result(p, name, epoch, 0)
  return true
end

for index = 1, dead do
  local id, key = ARGV[4 + index], KEYS[4 + index]
  local seen = call('ZSCORE', KEYS[2], id)
  if not seen or tonumber(seen) < now - ttl then
    local leases, left = call('HGETALL', key), 0
    for at = 1, #leases, 2 do
      if leases[at] == '#' or lost(leases[at + 1]) then call('HDEL', key, leases[at]) else left = left + 1 end
    end
    if left == 0 then call('ZREM', KEYS[2], id) end
  end
end

local alive, away, open = {}, {}, {}
if beats then
  -- What is still under way is ended by the others, in time.
  if leaves then
    if call('HLEN', KEYS[3]) <= 1 then
      call('ZREM', KEYS[2], ARGV[1])
      call('DEL', KEYS[3])
    end
  else
    call('ZADD', KEYS[2], now, ARGV[1])
    call('PEXPIRE', KEYS[2], $TTL)
    -- The leases' key is there from the first heartbeat on, so that it has a time to live.
    call('HSETNX', KEYS[3], '#', 0)
    call('PEXPIRE', KEYS[3], $TTL)
    if waits then call('SET', KEYS[4], '1', 'PX', $WAITINGTTL) end
  end
  alive = call('ZRANGEBYSCORE', KEYS[2], now - ttl, '+inf', 'WITHSCORES')
  away = call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ('%.17g'):format(now - ttl))
  open = call('HKEYS', KEYS[3])
end

for index = first, #KEYS do look(KEYS[index]) end
save()
remember()
call('PEXPIRE', KEYS[1], $TTL)

local out = { pack('<ddd', now, born, resort) }
for index = first, #KEYS do
  local key = KEYS[index]
  local _, found = look(key)
  call('PEXPIRE', key, $TTL)
  out[#out + 1] = found.row
  out[#out + 1] = call('GETRANGE', key, $WORDSAT, -1)
end
if dead > 0 and call('EXISTS', KEYS[4]) == 1 then call('PUBLISH', KEYS[1], cjson.encode({ ARGV[1] })) end
return { table.concat(out), alive, away, open, unpack(changes) }
`
