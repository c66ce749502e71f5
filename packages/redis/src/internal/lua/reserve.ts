/**
 * Gives the reservation to the first of the candidates, in the order in which they were sent, that may take the request:
 * `Admission.ts`, `LastResort.ts` and `Ledger.ts` of core.
 *
 * KEYS: meta, this instance's leases, the sign that somebody waits, the candidates, the session's pin if there is one.
 * ARGV: instance, lease, the moment until which this is wanted, flags, the candidates' figures, the birth of the state as
 * the instance knows it, the candidates' names.
 * Answers a row of figures and the candidates' rows as they stand now, then what has changed.
 */
export const reserve = `
local flags = ARGV[4]
local function flag(n) return flags:byte(n) == 49 end
local common, full, lastResort, waits, pinned = flag(1), flag(2), flag(3), flag(4), flag(5)
local n = #KEYS - (pinned and 4 or 3)

local rows, P, Ws = {}, {}, {}

-- Time, birth of the state, code, who was chosen, its epoch, how (1: as a last resort, 2: by its pin), when the last
-- resort was last.
local function answer(code, chosen, epoch, how, tail)
  local out = { pack('<ddddddd', now, born, code, chosen, epoch, how, resort) }
  for i = 1, n do
    local key = KEYS[i + 3]
    out[#out + 1] = rows[i]
    if full then out[#out + 1] = call('GETRANGE', key, $WORDSAT, -1)
    elseif undo('<d', rows[i]) ~= 0 then out[#out + 1] = call('GETRANGE', key, $WORDSAT, $MINUTEAT - 1) end
  end
  out[#out + 1] = tail
  return { table.concat(out), unpack(changes) }
end

-- Too late: whoever asked does not wait for it any more. Or the state was lost: first each says what it has used.
if now > tonumber(ARGV[3]) or born ~= tonumber(ARGV[6]) then
  n = 0
  return answer(now > tonumber(ARGV[3]) and 2 or 3, 0, 0, 0)
end

local function look(i)
  local p = P[i]
  if not p then
    p = { undo('$ROW', rows[i]) }
    P[i] = p
  end
  return p
end

for i = 1, n do
  local key = KEYS[i + 3]
  local row = read(key)
  rows[i] = row
  local _, dayHead, head, latelyHead = undo('<dddd', row)
  if bucket > head or day > dayHead or quarter > latelyHead then
    local p = look(i)
    roll(key, p)
    rows[i] = write(key, p)
  end
end

local function figures(i) return undo('<ddddddddddd', ARGV[5], (i - 1) * 88 + 1) end

-- The same without a vendor's word on anything, which is quick: what is declared, and what is counted and reserved.
local function hasDeclaredRoom(i, p)
  local input, output, _, _, d1, d2, d3, d4, d5, d6, d7 = figures(i)
  local share, least = 1, 0
  if common then share, least = $COMMON, 1 end
  local requests, ins, outs = p.inFlightRequests, p.inFlightInput, p.inFlightOutput
  local function full(limit, used, need) return need > limit * share - (limit - (limit - used)) end
  -- One request at least is left to every lane.
  local function many(limit, used) return 1 > max(least, limit * share) - (limit - (limit - used)) end
  if d1 < huge and many(d1, p.requests + requests) then return false end
  if d2 < huge and full(d2, p.input + p.output + (ins + outs), input + output) then return false end
  if d3 < huge and full(d3, p.input + ins, input) then return false end
  if d4 < huge and full(d4, p.output + outs, output) then return false end
  if d5 < huge and many(d5, p.dayRequests + requests) then return false end
  if d6 < huge and full(d6, p.dayTokens + (ins + outs), input + output) then return false end
  return d7 == huge or not many(d7, requests)
end

local function hasRoom(i)
  local p = look(i)
  if p.word == 0 then return hasDeclaredRoom(i, p) end
  local f = { figures(i) }
  local W = words(KEYS[i + 3], p)
  Ws[i] = W
  local counts, holds, need = counted(p), reserved(p), needs(1, f[1], f[2])
  for row = 1, 7 do
    local limit = inForce(W, row, f[row + 4], p)
    if limit < huge then
      local requests = p.inFlightRequests + ((row == 5 or row == 6) and p.dayRequests or p.requests)
      local free = limit - used(W, row, counts[row] + holds[row], requests)
      local usable = limit
      if common then usable = max((row == 1 or row == 5 or row == 7) and 1 or 0, limit * $COMMON) end
      if need[row] > usable - (limit - free) then return false end
    end
  end
  return true
end

local function isBroken(p)
  if p.circuit == 1 then return now < p.untilMs end
  if p.circuit == 2 then return now < p.probeUntilMs end
  return p.rampMost > 0 and now < p.rampUntilMs and p.rampInFlight >= p.rampMost
end

local function admits(i)
  local p = look(i)
  return now >= p.benchedUntilMs and not isBroken(p) and hasRoom(i)
end

local function choose()
  if pinned then
    local pin = call('GET', KEYS[#KEYS])
    if pin and now < undo('<d', pin) then
      for i = 1, n do
        if ARGV[6 + i] == pin:sub(17) and admits(i) then return i, 2 end
      end
    end
  end
  for i = 1, n do
    if admits(i) then return i, 0 end
  end
end

-- While no candidate is in service: the one that should be back first, now and then.
local function chooseLast()
  if not lastResort or $LASTRESORT == huge then return nil end
  local chosen, chosenBack, chosenPlace
  for i = 1, n do
    local p = look(i)
    local isOut = now < p.benchedUntilMs
    if not isOut and (p.circuit == 0 or not isBroken(p)) then return nil end
    local isForced = p.circuit == 1 and p.forced == 1
    if p.circuit ~= 2 and not isForced and (not isOut or p.guessed == 1) and hasRoom(i) then
      local back = p.circuit == 1 and max(p.benchedUntilMs, p.untilMs) or p.benchedUntilMs
      local _, _, _, place = figures(i)
      if not chosen or back < chosenBack or (back == chosenBack and place < chosenPlace) then
        chosen, chosenBack, chosenPlace = i, back, place
      end
    end
  end
  if not chosen then return nil end
  local p = look(chosen)
  if max(resort, p.outSinceMs) + $LASTRESORT > now then return nil end
  resort = now
  return chosen
end

local function grant(i, how)
  local key, p, W = KEYS[i + 3], look(i), Ws[i]
  local input, output, charges, _, d1, d2, d3, d4, d5, d6 = figures(i)
  local from, ramps = p.circuit, p.rampMost > 0
  if from == 0 then
    if p.rampMost > 0 then p.rampInFlight = p.rampInFlight + 1 end
  else
    if from == 1 then p.epoch = p.epoch + 1 end
    p.circuit, p.probeUntilMs = 2, now + $COOLDOWN
  end
  if call('HSETNX', KEYS[2], ARGV[2], pack('<dddd', now, input, output, p.epoch) .. key) == 0 then
    -- It was sent twice: what the first one was granted.
    local lease = call('HGET', KEYS[2], ARGV[2])
    local at, _, _, epoch = undo('<dddd', lease)
    now = at
    for each = 1, n do
      if KEYS[each + 3] == lease:sub(33) then return answer(1, each, epoch, 0) end
    end
    return answer(2, 0, 0, 0)
  end
  p.inFlightRequests, p.inFlightInput = p.inFlightRequests + 1, p.inFlightInput + input
  p.inFlightOutput = p.inFlightOutput + output
  addLately(key, p, now, 1, input, output)
  local countable
  if p.word % 2 == 1 then
    local need, counts = needs(1, input, output), counted(p)
    local holds = needs(p.inFlightRequests, p.inFlightInput, charges == 1 and p.inFlightOutput or 0)
    local own, declared = {}, { d1, d2, d3, d4, d5, d6 }
    for row = 1, $WORDROWS do
      local o = (row - 1) * $WORDCOUNT
      if inForce(W, row, declared[row], p) < huge then m.taken = m.taken + need[row] end
      own[#own + 1] = counts[row] + holds[row]
      own[#own + 1] = m.taken
    end
    call('SETRANGE', key, $WORDSAT, pack('$WORDS', unpack(W, 1, $WORDROWS * $WORDCOUNT)))
    countable = pack('<dddddddddddd', unpack(own))
  end
  if from == 0 and not ramps then
    -- Nothing else has changed.
    local held = pack(
      '<dddddd', p.latelyRequests, p.latelyInput, p.latelyOutput, p.inFlightRequests, p.inFlightInput, p.inFlightOutput
    )
    call('SETRANGE', key, $HELDAT, held)
    rows[i] = rows[i]:sub(1, $HELDAT) .. held .. rows[i]:sub($HELDAT + 49)
  else
    rows[i] = write(key, p)
  end
  remember()
  if p.circuit ~= from then changed('circuit', ARGV[6 + i], circuits[from], circuits[p.circuit]) end
  return answer(1, i, p.epoch, how, countable)
end

local chosen, how = choose()
if chosen then return grant(chosen, how) end
chosen = chooseLast()
if chosen then return grant(chosen, 1) end
remember()
if waits then call('SET', KEYS[3], '1', 'PX', $WAITINGTTL) end
full = true
return answer(0, 0, 0, 0)
`
