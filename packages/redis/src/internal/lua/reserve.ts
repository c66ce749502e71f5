/**
 * Gives a batch of requests their reservations, one after the other: each to the first of its candidates, in the order in
 * which they were sent, that may take it: `Admission.ts`, `LastResort.ts` and `Ledger.ts` of core.
 *
 * KEYS: as all, then the sessions' pins.
 * ARGV: as all, then a row of figures and the requests' leases. The figures: the moment until which this is wanted, the
 * highest number that the instance was told had been taken, whether whole windows are wanted; of each provider 7 limits,
 * and whether `maxTokens` counts on arrival; of each request whether its lane leaves the reserve alone, whether it may be a
 * last resort, whether it waits, which key is its session's pin, how many candidates there are, and of each its number
 * among the providers, input, output, place in the caller's list.
 * Answers a row of figures (time, birth of the state, code, when the last resort was last), of each request who was chosen,
 * its epoch, how (1: as a last resort, 2: by its pin) and what the vendor should have counted; the providers' rows as they
 * stand now; then what has changed.
 */
export const reserve = `
-- 1, too late: whoever asked does not wait for it any more. 2, the state was lost: first each says what it has used.
-- 3: the others have taken this instance for dead, and ended its calls.
local function decline(code) return { pack('<dddd', now, born, code, resort) } end
local figures, firstLease = ARGV[3], 4
local deadline, taken, full = undo('<ddd', figures)
if now > deadline then return decline(1) end
if born ~= bornThere then return decline(2) end

full = full == 1
-- Where the limits of a provider begin, and the requests.
local function limitsAt(i) return i * 64 - 39 end
local firstRequest = limitsAt(n + 1)
local P, Ws, granted, moved, pins = {}, {}, {}, {}, {}
local answers, leases, isWaiting = {}, {}, false

local before = call('HMGET', KEYS[2], '#', unpack(ARGV, firstLease))
if not before[1] then
  if not isWithoutLeases() then return decline(3) end
  renew()
  return decline(2)
end
-- It has gone back to an older state.
if tonumber(before[1]) < taken then return redis.error_reply('$OLDER') end
-- What is no pin says nothing.
for index = n + 5, #KEYS do
  local pin = redis.pcall('GET', KEYS[index])
  if type(pin) == 'string' then pins[index] = pin end
end

local function look(i)
  local p = P[i]
  if not p then
    p = { undo('$ROW', rows[KEYS[i + 4]]) }
    P[i] = p
  end
  return p
end

for i = 1, n do
  local key = KEYS[i + 4]
  local _, dayHead, head, latelyHead = undo('<dddd', read(key))
  if bucket > head or day > dayHead or quarter > latelyHead then
    roll(key, look(i))
    moved[i] = true
  end
end

-- Without a vendor's word on anything, which is quick: what is declared, and what is counted and reserved.
local function hasDeclaredRoom(i, p, input, output, common)
  local d1, d2, d3, d4, d5, d6, d7 = undo('<ddddddd', figures, limitsAt(i))
  local share, least = 1, 0
  if common then share, least = $COMMON, 1 end
  local count, ins, outs = p.inFlightRequests, p.inFlightInput, p.inFlightOutput
  -- One request at least is left to every lane.
  if d1 < huge and 1 > max(least, d1 * share) - (d1 - (d1 - (p.requests + count))) then return false end
  if d2 < huge and input + output > d2 * share - (d2 - (d2 - (p.input + p.output + (ins + outs)))) then return false end
  if d3 < huge and input > d3 * share - (d3 - (d3 - (p.input + ins))) then return false end
  if d4 < huge and output > d4 * share - (d4 - (d4 - (p.output + outs))) then return false end
  if d5 < huge and 1 > max(least, d5 * share) - (d5 - (d5 - (p.dayRequests + count))) then return false end
  if d6 < huge and input + output > d6 * share - (d6 - (d6 - (p.dayTokens + (ins + outs)))) then return false end
  return d7 == huge or 1 <= max(least, d7 * share) - (d7 - (d7 - count))
end

local function hasRoom(i, input, output, common)
  local p = look(i)
  if p.word == 0 then return hasDeclaredRoom(i, p, input, output, common) end
  local W = Ws[i] or words(KEYS[i + 4], p)
  Ws[i] = W
  local declared = { undo('<ddddddd', figures, limitsAt(i)) }
  local counts, holds, need = counted(p), reserved(p), needs(1, input, output)
  for row = 1, 7 do
    local limit = inForce(W, row, declared[row], p)
    if limit < huge then
      local count = p.inFlightRequests + ((row == 5 or row == 6) and p.dayRequests or p.requests)
      local free = limit - used(W, row, counts[row] + holds[row], count)
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

local function admits(i, input, output, common)
  local p = look(i)
  return now >= p.benchedUntilMs and not isBroken(p) and hasRoom(i, input, output, common)
end

-- While no candidate is in service: the one that should be back first, now and then.
local function chooseLast(at, count, common)
  local chosen, chosenBack, chosenPlace, chosenInput, chosenOutput
  for candidate = 0, count - 1 do
    local i, input, output, place = undo('<dddd', figures, at + candidate * 32)
    local p = look(i)
    local isOut = now < p.benchedUntilMs
    if not isOut and (p.circuit == 0 or not isBroken(p)) then return nil end
    local isForced = p.circuit == 1 and p.forced == 1
    if p.circuit ~= 2 and not isForced and (not isOut or p.guessed == 1) and hasRoom(i, input, output, common) then
      local back = p.circuit == 1 and max(p.benchedUntilMs, p.untilMs) or p.benchedUntilMs
      if not chosen or back < chosenBack or (back == chosenBack and place < chosenPlace) then
        chosen, chosenBack, chosenPlace, chosenInput, chosenOutput = i, back, place, input, output
      end
    end
  end
  if not chosen then return nil end
  local p = look(chosen)
  if max(resort, p.outSinceMs) + $LASTRESORT > now then return nil end
  resort = now
  return chosen, chosenInput, chosenOutput
end

local function refuse(waits)
  isWaiting, full = isWaiting or waits == 1, true
  answers[#answers + 1] = pack('<dddd', 0, 0, 0, 0)
end

-- The vendor's count as it should find it, where it tells one.
local function countable(i, p, input, output)
  local W, need, counts = Ws[i], needs(1, input, output), counted(p)
  local d = { undo('<dddddddd', figures, limitsAt(i)) }
  local holds = needs(p.inFlightRequests, p.inFlightInput, d[8] == 1 and p.inFlightOutput or 0)
  local own = {}
  for row = 1, $WORDROWS do
    local o = (row - 1) * $WORDCOUNT
    if inForce(W, row, d[row], p) < huge then m.taken = m.taken + need[row] end
    own[#own + 1] = counts[row] + holds[row]
    own[#own + 1] = m.taken
  end
  return pack('<dddddddddddd', unpack(own))
end

local function grant(request, i, input, output, how)
  local p, lately = look(i), granted[i]
  if not lately then
    lately = { 0, 0, 0 }
    granted[i], moved[i] = lately, true
  end
  lately[1], lately[2], lately[3] = lately[1] + 1, lately[2] + input, lately[3] + output
  local from = p.circuit
  if from == 0 then
    if p.rampMost > 0 then p.rampInFlight = p.rampInFlight + 1 end
  else
    if from == 1 then p.epoch = p.epoch + 1 end
    p.circuit, p.probeUntilMs = 2, now + $COOLDOWN
  end
  p.inFlightRequests, p.inFlightInput = p.inFlightRequests + 1, p.inFlightInput + input
  p.inFlightOutput = p.inFlightOutput + output
  leases[#leases + 1] = ARGV[firstLease + request]
  leases[#leases + 1] = pack('<ddddd', now, input, output, p.epoch, born) .. KEYS[i + 4]
  if p.word % 2 == 1 then answers[#answers + 1] = pack('<dddd', i, p.epoch, how, 1) .. countable(i, p, input, output)
  else answers[#answers + 1] = pack('<dddd', i, p.epoch, how, 0) end
  if p.circuit ~= from then changed('circuit', KEYS[i + 4], circuits[from], circuits[p.circuit]) end
end

local function decide(request, at)
  local common, mayBeLast, waits, pin, count = undo('<ddddd', figures, at)
  at, common = at + 40, common == 1
  if pin > 0 then
    local pinned = pins[pin]
    if pinned and now < undo('<d', pinned) then
      for candidate = 0, count - 1 do
        local i, input, output = undo('<ddd', figures, at + candidate * 32)
        if nameOf(KEYS[i + 4]) == pinned:sub(17) and admits(i, input, output, common) then
          return grant(request, i, input, output, 2)
        end
      end
    end
  end
  for candidate = 0, count - 1 do
    local i, input, output = undo('<ddd', figures, at + candidate * 32)
    if admits(i, input, output, common) then return grant(request, i, input, output, 0) end
  end
  if mayBeLast == 1 and $LASTRESORT < huge then
    local i, input, output = chooseLast(at, count, common)
    if i then return grant(request, i, input, output, 1) end
  end
  refuse(waits)
end

-- The batch was sent twice: what the first one was granted.
local function repeated()
  full = true
  for request = 2, #before do
    local lease, i, epoch = before[request], 0, 0
    if lease then
      local at, _, _, granted = undo('<dddd', lease)
      now, epoch = at, granted
      for each = 1, n do if KEYS[each + 4] == lease:sub(41) then i = each end end
    end
    answers[#answers + 1] = pack('<dddd', i, epoch, 0, 0)
  end
end

local wasSent, at = false, firstRequest
for request = 2, #before do wasSent = wasSent or before[request] end
if wasSent then repeated()
else
  for request = 0, #before - 2 do
    decide(request, at)
    at = at + 40 + 32 * undo('<d', figures, at + 32)
  end
  if #leases > 0 then call('HSET', KEYS[2], unpack(leases)) end
  if isWaiting then call('SET', KEYS[3], '1', 'PX', '$WAITINGTTL') end
end

for i, lately in pairs(granted) do
  local key, p = KEYS[i + 4], P[i]
  addLately(key, p, now, lately[1], lately[2], lately[3])
  if p.word % 2 == 1 then call('SETRANGE', key, '$WORDSAT', pack('$WORDS', unpack(Ws[i], 1, $WORDROWS * $WORDCOUNT))) end
end
for i in pairs(moved) do write(KEYS[i + 4], P[i]) end
writeCells()
remember()

return { pack('<dddd', now, born, 0, resort) .. table.concat(answers), shown(full), unpack(changes) }
`
