/**
 * A batch of settlements, each once; circuits moved by hand; what an instance did on its own while it could not ask.
 *
 * KEYS: meta, this instance's leases, the sign that somebody waits, then providers and pins as the items name them.
 * ARGV: instance, flags, how many providers there are among the keys, the birth of the state as the instance knows it,
 * then of each item its lease, its figures and its provider's name.
 * Answers a row of figures and the providers' rows as they stand after, then what has changed.
 */
export const settle = `
local full = ARGV[2]:byte(1) == 49
local providers = tonumber(ARGV[3])
local gone = {}

-- The state was lost: first the instance says all that it has used, this with it.
if born ~= tonumber(ARGV[4]) then return { pack('<ddd', now, born, resort) } end

local function pin(key, name)
  local before = call('GET', key)
  local kept, elsewhere = name, 0
  if before then
    local untilMs, others = undo('<dd', before)
    if now < untilMs and before:sub(17) ~= name and others == 0 then kept, elsewhere = before:sub(17), 1 end
  end
  call('SET', key, pack('<dd', now + $PINTTL, elsewhere) .. kept, 'PX', $PINTTL + 60000)
end

local function apply(key, p, found, q, tail, name)
  count(key, p, q)
  if q.readings > 0 then readLimits(p, found, q, tail, name)
  elseif q.refused == 1 then learnFromRefusal(p, found, q, name) end
  if q.firstTokenMs == q.firstTokenMs then
    p.firstTokenMs, p.firstTokenAtMs = sampled(p.firstTokenMs, p.firstTokenAtMs, q.firstTokenMs), now
  end
  if q.latencyMs == q.latencyMs then
    p.latencyMs, p.latencyAtMs = sampled(p.latencyMs, p.latencyAtMs, q.latencyMs), now
  end
  if q.learnInput == q.learnInput then learn(p, q) end
  if q.endsBench == 1 and p.guessed == 1 then p.benchedUntilMs = now end
  if q.pin > 0 then pin(KEYS[q.pin], name) end
  local isLate = q.lateMs == q.lateMs
  local function usual()
    if q.streams == 1 then return current(p.firstTokenMs, p.firstTokenAtMs) end
    return current(p.latencyMs, p.latencyAtMs)
  end
  local hasty = isLate and q.lateMs < usual() * $PATIENCE
  result(p, name, q.epoch, hasty and 0 or q.result)
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
  if q.benchMs > 0 and now + q.benchMs > p.benchedUntilMs then
    p.benchedUntilMs, p.because, p.guessed, p.outSinceMs = now + q.benchMs, q.because, q.guessed, now
    changed('bench', name, q.because, ('%.17g'):format(q.benchMs))
  end
end

-- The provider that a lease is of, if it is among the keys.
local function keyOf(lease)
  for index = 4, providers + 3 do
    if KEYS[index] == lease:sub(33) then return KEYS[index] end
  end
end

-- What this instance has told before is beside its leases: an answer that it did not get makes it tell things again.
local told = tonumber(call('HGET', KEYS[2], '#') or 0)

for item = 5, #ARGV - $OWNCLOCK, 3 do
  local id, name = ARGV[item], ARGV[item + 2]
  local q = { undo('$ITEM', ARGV[item + 1]) }
  local tail = ARGV[item + 1]:sub($ITEMS * 8 + 1)
  local key = KEYS[q.key]
  local isNew = q.number > told
  told = max(told, q.number)
  if not isNew then
    -- Nothing more is to be done.
  elseif q.kind <= 1 then
    local lease = not gone[id] and call('HGET', KEYS[2], id)
    if lease then key = keyOf(lease) end
    if key and (lease or (q.born ~= born and q.kind == 1 and not gone[id])) then
      gone[id] = true
      local p, found = look(key)
      -- What this instance has granted itself holds nothing here, and counts all the same.
      local epoch = q.epoch
      if lease then
        local _, input, output, granted = undo('<dddd', lease)
        hold(p, input, output, -1)
        epoch = granted
      end
      if q.kind == 0 then result(p, name, epoch, 0) else apply(key, p, found, q, tail, name) end
    end
  elseif q.kind == 2 then
    if call('HSETNX', KEYS[2], id, pack('<dddd', q.reservedAtMs, q.inputTokens, q.outputTokens, q.epoch) .. key) == 1 then
      hold(look(key), q.inputTokens, q.outputTokens, 1)
    end
  elseif q.kind == 3 then
    local p = look(key)
    moving(p, name, function() open(p, $COOLDOWN, now + q.benchMs, 1) end)
  elseif q.kind == 4 then
    local p = look(key)
    p.benchedUntilMs = -huge
    moving(p, name, function() close(p) end)
  elseif q.kind == 5 then addMinute(key, look(key), min(now, q.reservedAtMs), q.requests, q.input, q.output)
  else addDay(key, look(key), min(now, q.reservedAtMs), q.requests, q.input) end
end

save()
remember()
call('HSET', KEYS[2], '#', told)
call('PEXPIRE', KEYS[2], $TTL)
for id in pairs(gone) do call('HDEL', KEYS[2], id) end
if call('EXISTS', KEYS[3]) == 1 then call('PUBLISH', KEYS[1], cjson.encode({ ARGV[1] })) end

local out = { pack('<ddd', now, born, resort) }
for index = 4, providers + 3 do
  local key = KEYS[index]
  local _, found = look(key)
  out[#out + 1] = found.row or write(key, found.p)
  if full then out[#out + 1] = call('GETRANGE', key, $WORDSAT, -1)
  elseif found.p.word ~= 0 then out[#out + 1] = call('GETRANGE', key, $WORDSAT, $MINUTEAT - 1) end
end
return { table.concat(out), unpack(changes) }
`
