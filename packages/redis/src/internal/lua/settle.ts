/**
 * A batch of settlements, each once; circuits moved by hand; what an instance did on its own while it could not ask.
 *
 * KEYS: as all, then the sessions' pins.
 * ARGV: as all, then whether whole windows are wanted and the highest number that the instance was told had been taken, as
 * a row of figures; then of each item its lease and its figures.
 * Answers a row of figures, the providers' rows as they stand after, and what has changed.
 */
export const settle = `
local gone, held, stale = {}, {}, {}

-- The state was lost: first the instance says all that it has used, this with it.
if born ~= bornThere then return { pack('<ddd', now, born, resort) } end

-- What this instance has told is beside its leases, under another name once the others have taken it for dead.
local ids = { '#', '~' }
local full, taken = undo('<dd', ARGV[3])
for item = 4, #ARGV, 2 do ids[#ids + 1] = ARGV[item] end
local kept = call('HMGET', KEYS[2], unpack(ids))
if not kept[1] and isWithoutLeases() then
  renew()
  return { pack('<ddd', now, born, resort) }
end
-- It would not be seen any more that the state has gone back.
if tonumber(kept[1] or kept[2] or -1) < taken then return redis.error_reply('$OLDER') end
for each = 3, #ids do
  local id, lease = ids[each], kept[each]
  if lease and undo('<d', lease, 33) == born then held[id] = lease
  -- Of an earlier state: it holds nothing any more.
  elseif lease then stale[id] = true end
end

local function pin(at, key)
  local before, name = redis.pcall('GET', at), nameOf(key)
  local kept, elsewhere = name, 0
  if type(before) == 'string' then
    local untilMs, others = undo('<dd', before)
    if now < untilMs and before:sub(17) ~= name and others == 0 then kept, elsewhere = before:sub(17), 1 end
  end
  call('SET', at, pack('<dd', now + $PINTTL, elsewhere) .. kept, 'PX', $PINTTL + 60000)
end

local function setAside(p, key, untilMs, because, guessed)
  p.benchedUntilMs, p.because, p.guessed, p.outSinceMs = untilMs, because, guessed, now
  changed('bench', key, because, ('%.17g'):format(untilMs - now))
end

-- Nothing remains of a limit that nobody has told: without the limit its use says nothing.
local function setAsideSpent(key, p, found, q, lease, tail)
  local from, untilMs, guessed = lease.countable and q.reservedAtMs or now, -huge, 0
  eachReading(q, tail, function(row, _, remaining, reset)
    if inForce(found.W, row, q[$DECLARED + row - 1], p) < huge or not isSpent(row, remaining, reset) then return end
    local isNamed = reset == reset
    local to = from + (isNamed and reset or spanOf(row))
    if to > untilMs then untilMs, guessed = to, isNamed and 0 or 1 end
  end)
  if untilMs > max(now, p.benchedUntilMs) then setAside(p, key, untilMs, $RATELIMIT, guessed) end
end

-- Of a limit that nobody has told, what was taken is all that it can be learned from.
local function isKnown(found, q, row)
  return q[$DECLARED + row - 1] < huge or (found.W ~= nil and found.W[(row - 1) * $WORDCOUNT + 1] < huge)
end

local function apply(key, p, found, q, lease, tail)
  if q.refused == 1 then
    if not isKnown(found, q, 1) then q.requests = 0 end
    if not isKnown(found, q, 5) then q.dayRequests = 0 end
  end
  count(key, p, q)
  correct(key, p, found, lease, q.requests, q.dayRequests, q.input, q.output)
  if q.readings > 0 then readLimits(key, p, found, q, lease, tail)
  elseif q.refused == 1 then learnFromRefusal(key, p, found, q) end
  if q.firstTokenMs == q.firstTokenMs then
    p.firstTokenMs, p.firstTokenAtMs = sampled(p.firstTokenMs, p.firstTokenAtMs, q.firstTokenMs), now
  end
  if q.latencyMs == q.latencyMs then
    p.latencyMs, p.latencyAtMs = sampled(p.latencyMs, p.latencyAtMs, q.latencyMs), now
  end
  if q.learnInput == q.learnInput then learn(p, q) end
  if q.endsBench == 1 and p.guessed == 1 then p.benchedUntilMs = now end
  if q.pin > 0 then pin(KEYS[q.pin], key) end
  local isLate = q.lateMs == q.lateMs
  local function usual()
    if q.streams == 1 then return current(p.firstTokenMs, p.firstTokenAtMs) end
    return current(p.latencyMs, p.latencyAtMs)
  end
  if q.failed > 0 then p.lastError, p.lastErrorAtMs = q.failed, now end
  local hasty = isLate and q.lateMs < min(usual() * $PATIENCE, max(usual() * $IMPATIENCE, $LONG))
  result(p, key, q.epoch, hasty and 0 or q.result)
  if isLate then
    local sample = min(q.lateMs, $CEILING)
    if sample > usual() then
      if q.streams == 1 then
        p.firstTokenMs, p.firstTokenAtMs = sampled(p.firstTokenMs, p.firstTokenAtMs, sample), now
      else
        p.latencyMs, p.latencyAtMs = sampled(p.latencyMs, p.latencyAtMs, sample), now
      end
    end
  end
  -- What the vendor says replaces what was only guessed, also where it is less.
  if q.benchMs > 0 and (now + q.benchMs > p.benchedUntilMs or (q.guessed == 0 and p.guessed == 1)) then
    setAside(p, key, now + q.benchMs, q.because, q.guessed)
  end
  if q.readings > 0 then setAsideSpent(key, p, found, q, lease, tail) end
end

-- The provider that a lease is of, if it is among the keys.
local function keyOf(lease)
  for index = 5, n + 4 do
    if KEYS[index] == lease:sub(41) then return KEYS[index] end
  end
end

-- What has a lease counts once because it has. All else is told once by its number: no other batch is under way with one
-- that has such.
local told = tonumber(kept[1] or kept[2] or 0)

for item = 4, #ARGV, 2 do
  local id = ARGV[item]
  local q = { undo('$ITEM', ARGV[item + 1]) }
  local tail = ARGV[item + 1]:sub($ITEMS * 8 + 1)
  local key = KEYS[q.key]
  local isOnce = q.kind > 1 or q.born ~= q.born
  local isNew = not isOnce or q.number > told
  told = max(told, q.number)
  if not isNew then
    -- Nothing more is to be done.
  elseif q.kind <= 1 then
    local lease = not gone[id] and held[id]
    if lease then key = keyOf(lease) end
    if key and (lease or (q.born ~= born and q.kind == 1 and not gone[id])) then
      gone[id] = true
      local p, found = look(key)
      -- What this instance has granted itself holds nothing here, and counts all the same.
      local reserved, epoch = { isHeld = false, at = q.reservedAtMs, input = q.inputTokens, output = q.outputTokens }, q.epoch
      if lease then
        reserved.isHeld = true
        reserved.at, reserved.input, reserved.output, epoch = undo('<dddd', lease)
        hold(p, reserved.input, reserved.output, -1)
        if q.hasCountable == 1 then reserved.countable = { undo('<dddddddddddd', tail) } end
      end
      if q.kind == 1 then apply(key, p, found, q, reserved, tail)
      else
        correct(key, p, found, reserved, 0, 0, 0, 0)
        result(p, key, epoch, 0)
      end
    end
  elseif q.kind == 2 then
    if not held[id] then
      held[id] = pack('<ddddd', q.reservedAtMs, q.inputTokens, q.outputTokens, q.epoch, born) .. key
      call('HSET', KEYS[2], id, held[id])
      local p, found = look(key)
      hold(p, q.inputTokens, q.outputTokens, 1)
      addLately(key, p, min(now, q.reservedAtMs), 1, q.inputTokens, q.outputTokens)
      if p.word % 2 == 1 then
        local W, need = found.W, needs(1, q.inputTokens, q.outputTokens)
        for row = 1, $WORDROWS do
          local o = (row - 1) * $WORDCOUNT
          m.taken = m.taken + need[row]
        end
        found.hasNewWords = true
      end
    end
  elseif q.kind == 3 then
    local p = look(key)
    moving(p, key, function() open(p, $COOLDOWN, now + q.benchMs, 1) end)
  elseif q.kind == 4 then
    local p = look(key)
    p.benchedUntilMs = -huge
    moving(p, key, function() close(p) end)
  elseif q.kind == 5 then
    local p, at = look(key), min(now, q.reservedAtMs)
    addMinute(key, p, at, q.requests, q.input, q.output)
    addLately(key, p, at, q.requests, q.input, q.output)
  else addDay(key, look(key), min(now, q.reservedAtMs), q.requests, q.input) end
end

for index = 5, n + 4 do look(KEYS[index]) end
save()
remember()
call('HSET', KEYS[2], (kept[1] or not kept[2]) and '#' or '~', told)
if not kept[1] then call('PEXPIRE', KEYS[2], '$TTL') end
local ended = {}
for id in pairs(gone) do ended[#ended + 1] = id end
for id in pairs(stale) do if not held[id] then ended[#ended + 1] = id end end
if #ended > 0 then call('HDEL', KEYS[2], unpack(ended)) end
if call('EXISTS', KEYS[3]) == 1 then publish() end

return { pack('<ddd', now, born, resort), shown(full == 1), unpack(changes) }
`
