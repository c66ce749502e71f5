/**
 * What the end of a call does to its provider: `Settling.ts`, `Reading.ts`, `Breaker.ts`, `Latency.ts`,
 * `LearnedTokens.ts` and `Pins.ts` of core.
 */
export const settling = `
local looked = {}
local function look(key)
  local found = looked[key]
  if found then return found.p, found end
  local p = { undo('$ROW', read(key)) }
  roll(key, p)
  found = { p = p, W = words(key, p) }
  looked[key] = found
  return p, found
end

local function save()
  for key, found in pairs(looked) do
    if found.hasNewWords then
      call('SETRANGE', key, $WORDSAT, pack('$WORDS', unpack(found.W, 1, $WORDROWS * $WORDCOUNT)))
    end
    found.row = write(key, found.p)
  end
end

local function toWords(p, found, flag)
  found.W = found.W or { $FRESHWORDS }
  found.hasNewWords = true
  if flag == 1 and p.word % 2 == 0 then p.word = p.word + 1 end
  if flag == 2 and p.word < 2 then p.word = p.word + 2 end
end

local function capped(cell, amount) return min(amount, 4294967295 - cell) end

local function addMinute(key, p, at, requests, input, output)
  local number = floor(at / $BUCKET)
  local age = p.head - number
  if age >= $SIZE then return end
  at = $MINUTEAT + number % $SIZE * 12
  local a, b, c = undo('<I4I4I4', call('GETRANGE', key, at, at + 11))
  requests, input, output = capped(a, requests), capped(b, input), capped(c, output)
  call('SETRANGE', key, at, pack('<I4I4I4', a + requests, b + input, c + output))
  p.requests, p.input, p.output = p.requests + requests, p.input + input, p.output + output
  if age < $RECENT then
    p.recentRequests, p.recentInput = p.recentRequests + requests, p.recentInput + input
    p.recentOutput = p.recentOutput + output
  end
end

local function addDay(key, p, at, requests, tokens)
  local number = floor(at / 600000)
  if p.dayHead - number >= 145 then return end
  at = $DAYAT + number % 145 * 8
  local a, b = undo('<I4I4', call('GETRANGE', key, at, at + 7))
  requests, tokens = capped(a, requests), capped(b, tokens)
  call('SETRANGE', key, at, pack('<I4I4', a + requests, b + tokens))
  p.dayRequests, p.dayTokens = p.dayRequests + requests, p.dayTokens + tokens
end

local function count(key, p, q)
  local inputAt = min(now, q.reservedAtMs + $TRANSIT)
  if floor(inputAt / $BUCKET) == bucket then addMinute(key, p, now, q.requests, q.input, q.output)
  else
    addMinute(key, p, inputAt, q.requests, q.input, 0)
    addMinute(key, p, now, 0, 0, q.output)
  end
  if floor(inputAt / 600000) == day then addDay(key, p, now, q.dayRequests, q.input + q.output)
  else
    addDay(key, p, inputAt, q.dayRequests, q.input)
    addDay(key, p, now, 0, q.output)
  end
end

local function observe(W, o, span, amount, isOver, reset, at)
  if at < m.foreignAtMs then return end
  amount = max(0, amount)
  local forgotten = math.exp(-min(at - m.foreignAtMs, span) * 4 / span)
  local left = expected(W, o, span, at)
  m.foreignRate = amount / span + (m.foreignRate - amount / span) * forgotten
  if m.foreignRate * span < 1e-3 then m.foreignRate = 0 end
  m.foreign = max(amount, left < 1e-3 and 0 or left)
  m.foreignAtMs, m.foreignHeld = at, isOver and 1 or 0
  m.foreignDrainMs = max(1, min(reset, span))
end

local function readLimits(p, found, q, tail, name)
  toWords(p, found, 1)
  local W = found.W
  local counts, holds = counted(p), needs(p.inFlightRequests, p.inFlightInput, q.charges == 1 and p.inFlightOutput or 0)
  local need = needs(1, q.inputTokens, q.outputTokens)
  local has, taken, moved = q.hasCountable == 1, {}, {}
  for row = 1, $WORDROWS do taken[row] = W[(row - 1) * $WORDCOUNT + 4] end
  local before, first = {}, 1
  if has then before, first = { undo('<dddddddddddd', tail) }, 97 end
  for reading = 1, q.readings do
    local row, limit, remaining, reset = undo('<dddd', tail, first + (reading - 1) * 32)
    local o, span = (row - 1) * $WORDCOUNT, spanOf(row)
    local declared = q[$DECLARED + row - 1]
    local force = inForce(W, row, declared, p)
    if limit == limit then m.told, m.met = limit, huge else limit = force end
    if remaining == remaining and limit < huge then
      local uncounted = (q.refused == 1 and has) and need[row] or 0
      local own = max((before[row * 2 - 1] or 0) - uncounted, counts[row] + holds[row])
      local at = has and q.reservedAtMs or now
      if reset ~= reset then reset = huge end
      if at >= m.toldAtMs then
        m.toldUsed = limit - remaining
        m.refill = m.toldUsed / max(1, min(reset, span))
        m.toldTaken, m.toldAtMs = before[row * 2] or taken[row], at
      end
      observe(W, o, span, limit - remaining - own, remaining <= 0 and row ~= 5 and row ~= 6, reset, at)
    end
    if inForce(W, row, declared, p) ~= force then moved[#moved + 1] = row end
  end
  for _, row in ipairs(moved) do
    changed('limit', name, row, ('%.17g'):format(inForce(W, row, q[$DECLARED + row - 1], p)))
  end
end

local function learnFromRefusal(p, found, q, name)
  local taken = p.requests + p.inFlightRequests - 1
  if taken < 10 then return end
  for row = 1, 7 do
    local declared = q[$DECLARED + row - 1]
    if declared < huge and inForce(found.W, row, declared, p) >= declared then return end
  end
  if taken >= inForce(found.W, 1, q[$DECLARED], p) then return end
  toWords(p, found, 2)
  found.W[2], found.W[3] = taken, now
  changed('limit', name, 1, taken)
end

local function current(average, at)
  local idle = now - at - $LATENCYHALFLIFE
  return idle <= 0 and average or $PRIOR + (average - $PRIOR) * 2 ^ (-idle / $LATENCYHALFLIFE)
end

local function sampled(average, at, sample)
  local before = current(average, at)
  return before + $ALPHA * (sample - before)
end

local function learn(p, q)
  if q.estimated > 0 then
    local ratio = min(4, max(0.25, q.learnInput / q.estimated))
    p.inputDeviation = p.inputDeviation + 0.1 * (math.abs(ratio - p.inputRatio) - p.inputDeviation)
    p.inputRatio = p.inputRatio + 0.1 * (ratio - p.inputRatio)
  end
  p.outputDeviation = p.outputDeviation + 0.1 * (math.abs(q.learnOutput - p.outputMean) - p.outputDeviation)
  p.outputMean = p.outputMean + 0.1 * (q.learnOutput - p.outputMean)
end

local function open(p, cooldown, untilMs, forced)
  p.circuit, p.epoch, p.untilMs, p.cooldownMs, p.flag = 1, p.epoch + 1, untilMs, cooldown, forced
  p.rampMost = 0
end

local function close(p)
  p.circuit, p.epoch, p.failures, p.calls, p.failed, p.resultAtMs = 0, p.epoch + 1, 0, 0, 0, now
  p.rampMost = 0
end

local function grown(cooldown) return max(cooldown, min(cooldown * 2, $MAXCOOLDOWN)) end

local function onProbe(p, result)
  if result == 0 then p.flag = 0
  elseif result == 1 then
    local cooldown = p.cooldownMs
    close(p)
    if $RAMP > 0 then
      p.rampUntilMs, p.rampMost, p.rampInFlight, p.rampCooldownMs = now + $RAMP, 1, 0, cooldown
    end
  elseif now < p.untilMs then open(p, p.cooldownMs, p.untilMs, 0)
  else
    local cooldown = grown(p.cooldownMs)
    open(p, cooldown, now + cooldown, 0)
  end
end

local function onClosed(p, result)
  if p.rampMost > 0 then
    if now >= p.rampUntilMs then p.rampMost = 0
    else
      p.rampInFlight = p.rampInFlight - 1
      if result == 1 then p.rampMost = p.rampMost + 1
      elseif result == 2 then p.rampMost = max(1, floor(p.rampMost / 2)) end
    end
  end
  if result == 0 then return end
  local fades = 2 ^ ((p.resultAtMs - now) / $BREAKERHALFLIFE)
  local failure = result == 2 and 1 or 0
  p.failures = failure == 0 and 0 or p.failures + 1
  p.calls, p.failed, p.resultAtMs = p.calls * fades + 1, p.failed * fades + failure, now
  if failure == 0 then return end
  local tooMany = p.calls >= $MINIMUMCALLS and p.failed >= p.calls * $ERRORRATIO
  if p.failures < $FAILURETHRESHOLD and not tooMany then return end
  local cooldown = p.rampMost > 0 and grown(p.rampCooldownMs) or $COOLDOWN
  open(p, cooldown, now + cooldown, 0)
end

-- Whatever moves the circuit, it is told once.
local function moving(p, name, move)
  local from = p.circuit
  move()
  if from == p.circuit then return end
  if p.circuit == 1 then p.outSinceMs = now end
  changed('circuit', name, circuits[from], circuits[p.circuit])
end

local function result(p, name, epoch, result)
  if epoch ~= p.epoch or p.circuit == 1 then return end
  moving(p, name, function()
    if p.circuit == 2 then onProbe(p, result) else onClosed(p, result) end
  end)
end

local function hold(p, input, output, sign)
  p.inFlightRequests, p.inFlightInput = p.inFlightRequests + sign, p.inFlightInput + sign * input
  p.inFlightOutput = p.inFlightOutput + sign * output
end
`

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
