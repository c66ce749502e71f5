/**
 * What all scripts begin with: time, the router's own row (`meta`), the providers read, rolled and written.
 *
 * All have these in common: KEYS begin with meta, this instance's leases, the sign that somebody waits, the instances and
 * the providers; ARGV with the instance and a row of figures: how many providers there are, the birth of the state as the
 * instance knows it, the instance's own time, and when each provider was made, as far as the instance knows.
 *
 * Everything is read before anything is written: what cannot be read leaves no half of a change behind.
 *
 * `p.name`, `m.name` and `q.name` stand for places in rows of numbers, `$NAME` for constants; see `../scripts.ts`. What is
 * the same in each call goes to a command as text: a number would be printed anew each time.
 */

/** The rest is a function inside of this: what many functions use costs each of them less from outside than beside it. */
export const prelude = `
local call, floor, huge, max, min = redis.call, math.floor, math.huge, math.max, math.min
local pack, undo = struct.pack, struct.unpack
local n, bornThere, ownTime = undo('<ddd', ARGV[2])
$TIME
local meta, rows = call('GET', KEYS[1]), {}
local born, last, skew, resort = clock, -huge, 0, -huge
if meta then born, last, skew, resort = undo('<dddd', meta) end
local skewBefore, resortBefore = skew, resort
-- Where the clock jumps back, time goes on from the last moment seen.
if clock + skew < last then skew = last - clock end
local now = clock + skew
local bucket, day, quarter = floor(now / $BUCKET), floor(now / 600000), floor(now / $LATELYBUCKET)
`

export const common = `
-- The moment itself need not be exact: how far a clock has jumped back is of interest only where it is far.
local function remember()
  if not meta then call('SET', KEYS[1], pack('<dddd', born, now, skew, resort), 'PX', '$TTL')
  elseif skew ~= skewBefore or resort ~= resortBefore or now - last >= $GRAIN then
    call('SETRANGE', KEYS[1], '8', pack('<ddd', now, skew, resort))
  end
end

-- Part of the state is gone, so all of it is: each instance says anew what it has used, and what is left is not read.
local function renew()
  born = now > born and now or born + 1
  call('SET', KEYS[1], pack('<dddd', born, now, skew, resort), 'PX', '$TTL')
  for key in pairs(rows) do rows[key] = '' end
end

-- The instances know of this one, and its leases are gone, unless the others have ended them: part of the state is. It is
-- heard of again when it has told what it knows.
local function isWithoutLeases()
  return call('HEXISTS', KEYS[2], '#') == 0 and call('HEXISTS', KEYS[2], '~') == 0
    and call('ZREM', KEYS[4], ARGV[1]) == 1
end

-- A provider's name, which its key holds. They all begin as the key does that says that somebody waits.
local function nameOf(key) return cjson.decode(key:sub(#KEYS[3] + 3))[1] end

-- The row, and when it was made; nothing of one of an earlier state.
local function stored(key)
  local row = call('GETRANGE', key, '0', '$ROWEND')
  local made = row ~= '' and undo('<d', row, $MADEAT + 1) or 0
  if made < born then return '', made end
  return row, made
end

local isKnown, isLost = bornThere == born, false
for i = 1, n do
  local key = KEYS[i + 4]
  local row, made = stored(key)
  rows[key] = row
  local known = undo('<d', ARGV[2], i * 8 + 17)
  isLost = isLost or (isKnown and known > 0 and known ~= made)
end
if isLost then renew() end

-- The row as it stands; a provider that nobody has met is made.
local function read(key)
  if rows[key] == '' then
    rows[key] = pack('$ROW', $FRESH)
    call('SET', key, rows[key] .. ('\\0'):rep($BYTES - $WORDSAT), 'PX', '$TTL')
  end
  return rows[key]
end

local function write(key, p)
  rows[key] = pack('$ROW', unpack(p, 1, $FIELDS))
  call('SETRANGE', key, '0', rows[key])
end

local function words(key, p)
  if p.word ~= 0 then return { undo('$WORDS', call('GETRANGE', key, '$WORDSAT', '$WORDSEND')) } end
end

-- The providers as they go into an answer: their windows only where somebody wants to know what rolls out when.
local function shown(full)
  local out = {}
  for i = 1, n do
    local key = KEYS[i + 4]
    out[i] = rows[key]
    if full then out[i] = out[i] .. call('GETRANGE', key, '$WORDSAT', '-1')
    elseif undo('<d', out[i]) ~= 0 then out[i] = out[i] .. call('GETRANGE', key, '$WORDSAT', '$WORDSEND') end
  end
  return out
end

-- Empties the buckets that leave a ring of three columns; answers what is left of its sums.
local function rolled(key, ring, size, head, to, requests, input, output)
  if to - head >= size then
    call('SETRANGE', key, ring, ('\\0'):rep(size * 12))
    return 0, 0, 0
  end
  for each = head + 1, to do
    local at = ring + each % size * 12
    local a, b, c = undo('<I4I4I4', call('GETRANGE', key, at, at + 11))
    if a + b + c > 0 then
      requests, input, output = requests - a, input - b, output - c
      call('SETRANGE', key, at, ('\\0'):rep(12))
    end
  end
  return requests, input, output
end

-- Buckets that have left the window no longer count.
local function roll(key, p)
  if bucket > p.head then
    p.requests, p.input, p.output = rolled(key, $MINUTEAT, $SIZE, p.head, bucket, p.requests, p.input, p.output)
    p.head = bucket
  end
  if quarter > p.latelyHead then
    p.latelyRequests, p.latelyInput, p.latelyOutput = rolled(
      key, $LATELYAT, $LATELYSIZE, p.latelyHead, quarter, p.latelyRequests, p.latelyInput, p.latelyOutput
    )
    p.latelyHead = quarter
  end
  if day > p.dayHead then
    if day - p.dayHead >= 145 then
      call('SETRANGE', key, $DAYAT, ('\\0'):rep(145 * 8))
      p.dayRequests, p.dayTokens = 0, 0
    else
      for head = p.dayHead + 1, day do
        local at = $DAYAT + head % 145 * 8
        local requests, tokens = undo('<I4I4', call('GETRANGE', key, at, at + 7))
        p.dayRequests, p.dayTokens = p.dayRequests - requests, p.dayTokens - tokens
        if requests + tokens > 0 then call('SETRANGE', key, at, ('\\0'):rep(8)) end
      end
    end
    p.dayHead = day
  end
end

-- What a cell takes of an amount, which may be negative.
local function capped(cell, amount) return amount < -cell and -cell or min(amount, 4294967295 - cell) end

-- Each cell is read once and written once, however much is counted in it.
local cells = {}
local function counting(key, at, form, size)
  local of = cells[key] or {}
  cells[key] = of
  if not of[at] then of[at] = { form = form, undo(form, call('GETRANGE', key, at, at + size - 1)) } end
  return of[at]
end

local function addThree(key, at, requests, input, output)
  local cell = counting(key, at, '<I4I4I4', 12)
  requests, input, output = capped(cell[1], requests), capped(cell[2], input), capped(cell[3], output)
  cell[1], cell[2], cell[3] = cell[1] + requests, cell[2] + input, cell[3] + output
  return requests, input, output
end

local function writeCells()
  for key, of in pairs(cells) do
    for at, cell in pairs(of) do
      call('SETRANGE', key, at, pack(cell.form, unpack(cell, 1, cell.form == '<I4I4' and 2 or 3)))
    end
  end
end

-- What was reserved lately, by the time of the reservation; corrected when it is settled.
local function addLately(key, p, at, requests, input, output)
  if requests == 0 and input == 0 and output == 0 then return end
  local number = floor(at / $LATELYBUCKET)
  if p.latelyHead - number >= $LATELYSIZE then return end
  requests, input, output = addThree(key, $LATELYAT + number % $LATELYSIZE * 12, requests, input, output)
  p.latelyRequests, p.latelyInput = p.latelyRequests + requests, p.latelyInput + input
  p.latelyOutput = p.latelyOutput + output
end

-- Whoever may not publish is heard with the next heartbeat.
local function publish(change) redis.pcall('PUBLISH', KEYS[1], cjson.encode({ ARGV[1], change })) end

local changes = {}
local circuits = { [0] = 'closed', [1] = 'open', [2] = 'half_open' }
local function changed(kind, key, ...)
  local change = { kind, nameOf(key), ... }
  change[#change + 1] = ('%.17g'):format(now)
  changes[#changes + 1] = cjson.encode(change)
  -- To the other instances; the reply has it for this one.
  publish(change)
end
`

/**
 * What counts of each limit, the limit in force, and what others use: `Meter.ts`, `LastWord.ts` and `ForeignUse.ts` of core.
 */
export const meters = `
local function spanOf(row) return (row == 5 or row == 6) and 86400000 or $WINDOW end

local function counted(p)
  return { p.requests, p.input + p.output, p.input, p.output, p.dayRequests, p.dayTokens, 0 }
end

local function needs(requests, input, output)
  return { requests, input + output, input, output, requests, input + output, requests }
end

local function reserved(p) return needs(p.inFlightRequests, p.inFlightInput, p.inFlightOutput) end

local function inForce(W, row, declared, p)
  if not W or row == 7 then return declared end
  local o = (row - 1) * $WORDCOUNT
  local known = min(declared, m.told)
  if m.met == huge then return known end
  local met = m.met * (1 + 0.05 * (max(0, p.head * $BUCKET - m.metAtMs) / spanOf(row)))
  return met < known and floor(met) or known
end

local function expected(W, o, span, at)
  local age = at - m.foreignAtMs
  if age >= span then return 0 end
  local left
  if m.foreignHeld == 1 then left = age < m.foreignDrainMs and 1 or 0 else left = max(0, 1 - age / m.foreignDrainMs) end
  return m.foreign * left + m.foreignRate * age
end

local function used(W, row, own, requests)
  if not W or row == 7 then return own end
  local o = (row - 1) * $WORDCOUNT
  if m.foreign == 0 and m.foreignRate == 0 then return own end
  local span, unit = spanOf(row), 1
  if row ~= 1 and row ~= 5 and requests ~= 0 then unit = own / requests end
  local arrived = m.foreignRate * (now - m.foreignAtMs)
  local since = arrived + 3 * math.sqrt(arrived * unit) + unit
  local others = 0
  if now - m.foreignAtMs < span then others = expected(W, o, span, now) + since - arrived end
  local age, told = now - m.toldAtMs, 0
  if age < span then told = max(0, m.toldUsed - age * m.refill) + m.taken - m.givenBack - m.toldTaken end
  return told == 0 and own + others or max(own + others, told + since)
end
`
