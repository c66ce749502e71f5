/**
 * Every provider as it stands. Where it is also an instance's heartbeat: who else is there, and the end of the leases of
 * those who are not any more. Their calls may have been counted by the vendor, so they count as they were reserved.
 *
 * KEYS: as all, then the leases of the dead.
 * ARGV: as all, then flags, for how many ms an instance is believed to be there, the providers' names, the dead.
 * Answers a row of figures and the providers' rows, then who is there and when each was last heard of, who is not, this
 * instance's leases, and what has changed.
 */
export const snapshot = `
local beats, waits, leaves = ARGV[5]:byte(1) == 49, ARGV[5]:byte(2) == 49, ARGV[5]:byte(3) == 49
local ttl, instances, dead = tonumber(ARGV[6]), KEYS[4], #KEYS - n - 4
if beats and not leaves and isKnown and call('HEXISTS', KEYS[2], '#') == 0 and hasLostLeases() then renew() end

local names = {}
for i = 1, n do names[KEYS[i + 4]] = ARGV[i + 6] end

local function lost(lease)
  local reservedAtMs, input, output, epoch, granted = undo('<ddddd', lease)
  -- Of an earlier state: it holds nothing any more.
  if granted ~= born then return true end
  local key = lease:sub(41)
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
  local id, key = ARGV[n + 6 + index], KEYS[n + 4 + index]
  local seen = call('ZSCORE', instances, id)
  if not seen or tonumber(seen) < now - ttl then
    -- What cannot be read holds nothing.
    local leases, left = redis.pcall('HGETALL', key), 0
    for at = 1, #leases, 2 do
      if leases[at] ~= '#' then
        if lost(leases[at + 1]) then call('HDEL', key, leases[at]) else left = left + 1 end
      end
    end
    if left == 0 then
      call('ZREM', instances, id)
      call('DEL', key)
    end
  end
end

local alive, away, open = {}, {}, {}
if beats then
  -- What is still under way is ended by the others, in time.
  if leaves then
    if call('HLEN', KEYS[2]) <= 1 then
      call('ZREM', instances, ARGV[1])
      call('DEL', KEYS[2])
    end
  else
    call('ZADD', instances, now, ARGV[1])
    call('PEXPIRE', instances, $TTL)
    -- The leases' key is there from the first heartbeat on, so that it has a time to live.
    call('HSETNX', KEYS[2], '#', 0)
    call('PEXPIRE', KEYS[2], $TTL)
    if waits then call('SET', KEYS[3], '1', 'PX', $WAITINGTTL) end
  end
  alive = call('ZRANGEBYSCORE', instances, now - ttl, '+inf', 'WITHSCORES')
  away = call('ZRANGEBYSCORE', instances, '-inf', '(' .. ('%.17g'):format(now - ttl))
  open = call('HKEYS', KEYS[2])
end

for i = 5, n + 4 do look(KEYS[i]) end
save()
remember()
call('PEXPIRE', KEYS[1], $TTL)

local out = { pack('<ddd', now, born, resort) }
for i = 5, n + 4 do
  call('PEXPIRE', KEYS[i], $TTL)
  show(out, KEYS[i], true)
end
if dead > 0 and call('EXISTS', KEYS[3]) == 1 then publish() end
return { table.concat(out), alive, away, open, unpack(changes) }
`
