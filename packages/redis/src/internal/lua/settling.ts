/**
 * What the end of a call does to its provider: `Settling.ts`, `Reading.ts`, `Breaker.ts`, `Latency.ts`,
 * `LastWord.ts`, `LearnedTokens.ts` and `Pins.ts` of core.
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
  writeCells()
  for key, found in pairs(looked) do
    if found.hasNewWords then
      call('SETRANGE', key, '$WORDSAT', pack('$WORDS', unpack(found.W, 1, $WORDROWS * $WORDCOUNT)))
    end
    write(key, found.p)
  end
end

local function toWords(p, found, flag)
  found.W = found.W or { $FRESHWORDS }
  found.hasNewWords = true
  if flag == 1 and p.word % 2 == 0 then p.word = p.word + 1 end
  if flag == 2 and p.word < 2 then p.word = p.word + 2 end
end

local function addMinute(key, p, at, requests, input, output)
  local number = floor(at / $BUCKET)
  if p.head - number >= $SIZE then return end
  requests, input, output = addThree(key, $MINUTEAT + number % $SIZE * 12, requests, input, output)
  p.requests, p.input, p.output = p.requests + requests, p.input + input, p.output + output
end

local function addDay(key, p, at, requests, tokens)
  local number = floor(at / 600000)
  if p.dayHead - number >= 145 then return end
  local cell = counting(key, $DAYAT + number % 145 * 8, '<I4I4', 8)
  requests, tokens = capped(cell[1], requests), capped(cell[2], tokens)
  cell[1], cell[2] = cell[1] + requests, cell[2] + tokens
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

-- What was reserved, where it was, becomes what was taken. The vendor's newest word may not know of it yet.
local function correct(key, p, found, lease, requests, dayRequests, input, output)
  local held = lease.isHeld and 1 or 0
  addLately(
    key, p, min(now, lease.at), requests - held, input - held * lease.input, output - held * lease.output
  )
  if not lease.countable or not found.W then return end
  local W, need, took = found.W, needs(1, lease.input, lease.output), needs(requests, input, output)
  took[5] = dayRequests
  for row = 1, $WORDROWS do
    local o, less, taken = (row - 1) * $WORDCOUNT, need[row] - took[row], lease.countable[row * 2]
    if less < 0 then m.taken = m.taken - less
    elseif less > 0 and taken > m.toldTaken then
      m.givenBack, m.givenFrom = m.givenBack + less, min(m.givenFrom, taken)
    end
  end
  found.hasNewWords = true
end

-- Whether nothing is to be had until the reset. A day may be a bucket that is refilled as it goes.
local function isSpent(row, remaining, reset)
  if remaining ~= remaining or remaining > 0 then return false end
  return (row ~= 5 and row ~= 6) or (reset == reset and reset < 86400000 * 0.95)
end

local function eachReading(q, tail, f)
  local first = q.hasCountable == 1 and 97 or 1
  for reading = 0, q.readings - 1 do f(undo('<dddd', tail, first + reading * 32)) end
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

local function readLimits(key, p, found, q, lease, tail)
  toWords(p, found, 1)
  local W = found.W
  local counts, holds = counted(p), needs(p.inFlightRequests, p.inFlightInput, q.charges == 1 and p.inFlightOutput or 0)
  local need = needs(1, q.inputTokens, q.outputTokens)
  local taken, moved, before = {}, {}, lease.countable or {}
  local has = lease.countable ~= nil
  for row = 1, $WORDROWS do taken[row] = W[(row - 1) * $WORDCOUNT + 4] end
  eachReading(q, tail, function(row, limit, remaining, reset)
    local o, span = (row - 1) * $WORDCOUNT, spanOf(row)
    local declared = q[$DECLARED + row - 1]
    local force = inForce(W, row, declared, p)
    if limit == limit then m.told, m.met = limit, huge else limit = force end
    if remaining == remaining and limit < huge then
      local uncounted = (q.refused == 1 and has) and need[row] or 0
      local own = max((before[row * 2 - 1] or 0) - uncounted, counts[row] + holds[row])
      local at = has and q.reservedAtMs or now
      local isOver = isSpent(row, remaining, reset)
      if reset ~= reset then reset = huge end
      if at >= m.toldAtMs then
        m.toldUsed = limit - remaining
        m.refill = m.toldUsed / max(1, min(reset, span))
        m.toldTaken, m.toldAtMs = before[row * 2] or taken[row], at
        if m.toldTaken >= m.givenFrom then m.givenBack, m.givenFrom = 0, huge end
      end
      observe(W, o, span, limit - remaining - own, isOver, reset, at)
    end
    if inForce(W, row, declared, p) ~= force then moved[#moved + 1] = row end
  end)
  for _, row in ipairs(moved) do
    changed('limit', key, row, ('%.17g'):format(inForce(W, row, q[$DECLARED + row - 1], p)))
  end
end

local function learnFromRefusal(key, p, found, q)
  local taken = p.requests + p.inFlightRequests
  if p.inFlightRequests > taken / 2 or taken < 10 then return end
  for row = 1, 7 do
    local declared = q[$DECLARED + row - 1]
    if declared < huge and inForce(found.W, row, declared, p) >= declared then return end
  end
  if taken >= inForce(found.W, 1, q[$DECLARED], p) then return end
  toWords(p, found, 2)
  found.W[2], found.W[3] = taken, now
  changed('limit', key, 1, taken)
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
  p.circuit, p.epoch, p.untilMs, p.cooldownMs, p.forced = 1, p.epoch + 1, untilMs, cooldown, forced
  p.rampMost = 0
end

local function close(p)
  p.circuit, p.epoch, p.failures, p.calls, p.failed, p.resultAtMs = 0, p.epoch + 1, 0, 0, 0, now
  p.rampMost = 0
end

local function grown(cooldown) return max(cooldown, min(cooldown * 2, $MAXCOOLDOWN)) end

local function onProbe(p, result)
  if result == 1 then
    local cooldown = p.cooldownMs
    close(p)
    if $RAMP > 0 then
      p.rampUntilMs, p.rampMost, p.rampInFlight, p.rampCooldownMs = now + $RAMP, 1, 0, cooldown
    end
  elseif now < p.untilMs then open(p, p.cooldownMs, p.untilMs, 0)
  elseif result == 0 then p.probeUntilMs = now
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
local function moving(p, key, move)
  local from = p.circuit
  move()
  if from == p.circuit then return end
  if p.circuit == 1 then p.outSinceMs = now end
  changed('circuit', key, circuits[from], circuits[p.circuit])
end

local function result(p, key, epoch, result)
  if epoch ~= p.epoch or p.circuit == 1 then return end
  moving(p, key, function()
    if p.circuit == 2 then onProbe(p, result) else onClosed(p, result) end
  end)
end

local function hold(p, input, output, sign)
  p.inFlightRequests, p.inFlightInput = p.inFlightRequests + sign, p.inFlightInput + sign * input
  p.inFlightOutput = p.inFlightOutput + sign * output
end
`
