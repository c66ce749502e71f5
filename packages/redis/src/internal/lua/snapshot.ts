/**
 * Every provider as it stands. Where it is also an instance's heartbeat: who else is there, and the end of the leases of
 * those who are not any more. Their calls may have been counted by the vendor, so they count as they were reserved.
 *
 * KEYS: as all, then the leases of the dead, and providers that only the dead knew.
 * ARGV: as all, then a row of figures (whether this is a heartbeat, whether somebody waits, whether the instance leaves,
 * whether its leases are wanted; for how many ms an instance is believed to be there, how many are dead, how much this
 * instance was told that Redis had taken from it), the dead, and those of this instance's leases of which the provider is
 * asked.
 * Answers a row of figures, the providers' rows, then who is there and when each was last heard of, who is not, this
 * instance's leases, the providers that were asked for, those that leases of the dead are of and that are not among the
 * keys, how much the instance had told, and what has changed.
 */
export const snapshot = `
local beats, waits, leaves, compares, ttl, dead, taken = undo('<ddddddd', ARGV[3])
beats, waits, leaves, compares = beats == 1, waits == 1, leaves == 1, compares == 1
local instances, firstStray = KEYS[4], dead + 4
-- The providers that only the dead knew.
for i = n + dead + 5, #KEYS do rows[KEYS[i]] = stored(KEYS[i]) end
if beats and not leaves and isKnown and isWithoutLeases() then renew() end

local unknown = {}
local function lost(lease)
  local reservedAtMs, input, output, epoch, granted = undo('<ddddd', lease)
  -- Of an earlier state: it holds nothing any more.
  if granted ~= born then return true end
  local key = lease:sub(41)
  if not rows[key] then
    unknown[key] = true
    return false
  end
  -- What is not there any more holds nothing.
  if rows[key] == '' then return true end
  local p = look(key)
  hold(p, input, output, -1)
  local inputAt = min(now, reservedAtMs + $TRANSIT)
  addMinute(key, p, inputAt, 1, input, 0)
  addMinute(key, p, now, 0, 0, output)
  addDay(key, p, inputAt, 1, input)
  addDay(key, p, now, 0, output)
  result(p, key, epoch, 0)
  return true
end

for index = 1, dead do
  local id, key = ARGV[index + 3], KEYS[n + 4 + index]
  local seen = call('ZSCORE', instances, id)
  if not seen or tonumber(seen) < now - ttl then
    -- What cannot be read holds nothing.
    local leases, left = redis.pcall('HGETALL', key), 0
    for at = 1, #leases, 2 do
      if leases[at] == '#' then
        call('HSET', key, '~', leases[at + 1])
        call('HDEL', key, '#')
      elseif leases[at] ~= '~' then
        if lost(leases[at + 1]) then call('HDEL', key, leases[at]) else left = left + 1 end
      end
    end
    if left == 0 then call('ZREM', instances, id) end
  end
end

local alive, away, open, asked, told = {}, {}, {}, {}, ''
if (beats and not leaves) or compares then
  -- The leases' key is there from then on, so that it has a time to live. What an instance has told is known also after
  -- the others have taken it for dead.
  told = call('HGET', KEYS[2], '#') or ''
  if told == '' then
    told = call('HGET', KEYS[2], '~') or ''
    call('HSET', KEYS[2], '#', told == '' and 0 or told)
    call('HDEL', KEYS[2], '~')
  end
  call('PEXPIRE', KEYS[2], '$TTL')
  open = call('HKEYS', KEYS[2])
end
if beats then
  -- What is still under way is ended by the others, in time.
  if leaves then
    if call('HLEN', KEYS[2]) <= 1 then
      call('ZREM', instances, ARGV[1])
      call('DEL', KEYS[2])
    end
  elseif (tonumber(told) or -1) >= taken then
    -- Who has to tell again what has been forgotten is heard of once he has.
    call('ZADD', instances, now, ARGV[1])
    call('PEXPIRE', instances, '$TTL')
    if waits then call('SET', KEYS[3], '1', 'PX', '$WAITINGTTL') end
  end
  alive = call('ZRANGEBYSCORE', instances, now - ttl, '+inf', 'WITHSCORES')
  away = call('ZRANGEBYSCORE', instances, '-inf', '(' .. ('%.17g'):format(now - ttl))
end
if firstStray <= #ARGV then
  local stored = call('HMGET', KEYS[2], unpack(ARGV, firstStray))
  for stray, lease in ipairs(stored) do asked[stray] = lease and lease:sub(41) or '' end
end

for i = 5, n + 4 do look(KEYS[i]) end
save()
remember()
call('PEXPIRE', KEYS[1], '$TTL')
for i = 5, n + 4 do call('PEXPIRE', KEYS[i], '$TTL') end

local left = {}
for key in pairs(unknown) do left[#left + 1] = key end
if dead > 0 and call('EXISTS', KEYS[3]) == 1 then publish() end
return { pack('<ddd', now, born, resort), shown(true), alive, away, open, asked, left, told, unpack(changes) }
`
