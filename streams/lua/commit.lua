-- Apply everything one batch changed to one partition, or nothing.
--
-- EVALSHA sha <number of keys>
--   KEYS: meta due outbox pop goods queue notes, <P profile keys>, <L ledger keys>,
--         <D pairs: profile key, ledger key, to delete>, <W watchers' keys>,
--         and the watchers' key that the queue is filled from, where F is not -1
--   ARGV: token expected nonce trim clock_ms t0_ms, then the counts P L D S R O N M K G H W U F Y X, then
--         P profile values; the last K of them are of keys this owner has read as strings, or written, before
--         for each of the L ledger keys: the number of fields, then order id, entry, ...
--         D profile ids (the deleted ones)
--         S pairs due_ms, profile id (timers to set)
--         R profile ids (timers to take out)
--         O outbox rows
--         N pairs counter, change (population)
--         M pairs field, value (offsets, tails, origins, topic ids and wake in meta)
--         G pairs product, good (to set)
--         H products (goods to take out)
--         for each of the W watchers' keys: the numbers C and T, then C pairs score, profile id, then T profile ids to take out
--         Y pairs name, note
--         X names of notes to take out
--   U is how many are taken off the queue, F the number of the watcher from whom on it is filled, or -1
--
-- Keys touched, all with the hash tag of the partition, all of them in KEYS:
--   meta    hash    written: token is only read; commits, last, clock_ms, t0_ms, outbox_base and the M fields
--   due     zset    written
--   outbox  list    written: rows appended, then `trim` rows taken from its head
--   pop     hash    written: counters added to, taken out at 0
--   goods   hash    written
--   notes   hash    written: notes set and taken out
--   queue   zset    written: filled from a watchers' key, then U taken from its head
--   w:<key> zset    written; read to fill the queue, before it is written
--   c:<id>  string  written or deleted
--   l:<id>  hash    written or deleted
--
-- Answers: {'ok', commits}; {'done', commits} when this very commit (by its nonce) was applied before;
-- {'fenced', epoch}; {'moved', commits} when the counter is not the expected one; {'missing'} without meta;
-- {'refused', reason}. Redis keeps what a failing script wrote before it failed, so everything that can fail is
-- looked at first, and meta is written last.

local SLICE = 500              -- unpack overflows Lua's C stack near 8000 values
local EXACT = 9007199254740991 -- 2^53 - 1: beyond it Lua's numbers lose units

local function kind(key)
  return redis.call('TYPE', key).ok
end

local function wrong_type(key, wanted)
  local found = kind(key)
  if found ~= wanted and found ~= 'none' then
    return { 'refused', 'key ' .. key .. ' holds a ' .. found .. ', not a ' .. wanted ..
      ': something else wrote it; look at it, then delete or rename it' }
  end
end

local meta, due, outbox, pop, goods, queue, notes = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local FIRST = 7 -- keys before those of profiles
local problem = wrong_type(meta, 'hash')
if problem then return problem end

-- Who asks, and what for?
local stored = redis.call('HMGET', meta, 'token', 'commits', 'last', 'epoch', 'clock_ms', 't0_ms')
if not stored[1] then return { 'missing' } end
if stored[1] ~= ARGV[1] then return { 'fenced', stored[4] or '?' } end
local expected = tonumber(ARGV[2])
local commits = tonumber(stored[2] or '')
if not expected or not commits then return { 'refused', 'meta of this partition has no number of commits' } end
if commits == expected + 1 and stored[3] == ARGV[3] then return { 'done', stored[2] } end
if commits ~= expected then return { 'moved', stored[2] } end

-- Are the arguments whole? A wrong count would read one group's values as another's.
local count = {}
for i = 7, 22 do
  count[i] = tonumber(ARGV[i])
  if not count[i] or count[i] < (i == 20 and -1 or 0) then return { 'refused', 'count ' .. i .. ' of the commit is no number' } end
end
local P, L, D, S, R, O, N, M = count[7], count[8], count[9], count[10], count[11], count[12], count[13], count[14]
local K, G, H, W, U, F = count[15], count[16], count[17], count[18], count[19], count[20]
local Y, X = count[21], count[22]
local watched_at = FIRST + P + L + 2 * D -- the key before the first one of watchers
if K > P or #KEYS ~= watched_at + W + (F >= 0 and 1 or 0) then return { 'refused', 'the keys of the commit are not as many as it says' } end

local profile_at = 23
local ledger_at = profile_at + P
local at = ledger_at
for _ = 1, L do
  local fields = tonumber(ARGV[at] or '')
  if not fields or fields < 1 then return { 'refused', 'a ledger of the commit has no number of entries' } end
  at = at + 1 + 2 * fields
end
local deleted_at = at
local due_at = deleted_at + D
local undue_at = due_at + 2 * S
local rows_at = undue_at + R
local pop_at = rows_at + O
local meta_at = pop_at + 2 * N
local goods_at = meta_at + 2 * M
local gone_at = goods_at + 2 * G
local watchers_at = gone_at + H
at = watchers_at
for _ = 1, W do
  local comes, goes = tonumber(ARGV[at] or ''), tonumber(ARGV[at + 1] or '')
  if not comes or not goes or comes < 0 or goes < 0 then
    return { 'refused', 'a product of the commit has no number of watchers' }
  end
  for i = at + 2, at + 1 + 2 * comes, 2 do
    if not tonumber(ARGV[i] or '') then return { 'refused', 'the score of a watcher is no number' } end
  end
  at = at + 2 + 2 * comes + goes
end
local notes_at = at
local struck_at = notes_at + 2 * Y
if #ARGV ~= struck_at + X - 1 then return { 'refused', 'the values of the commit are not as many as it says' } end

for i = due_at, undue_at - 1, 2 do
  if not tonumber(ARGV[i]) then return { 'refused', 'a due time of the commit is no number' } end
end
local trim, clock_ms, t0_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
if not trim or trim < 0 or not clock_ms or not t0_ms then
  return { 'refused', 'trim, clock or T0 of the commit is no number' }
end

-- Is every key that will be written what it should be?
problem = wrong_type(due, 'zset') or wrong_type(outbox, 'list') or wrong_type(pop, 'hash')
  or wrong_type(goods, 'hash') or wrong_type(queue, 'zset') or wrong_type(notes, 'hash')
if problem then return problem end
for i = watched_at + 1, #KEYS do
  problem = wrong_type(KEYS[i], 'zset')
  if problem then return problem end
end
if U > 0 and F < 0 then
  local waiting = redis.call('ZCARD', queue)
  if U > waiting then
    return { 'refused', 'the queue has ' .. waiting .. ' watchers, ' .. U .. " can't be taken off" }
  end
end
for i = FIRST + 1, FIRST + P - K do
  problem = wrong_type(KEYS[i], 'string')
  if problem then return problem end
end
for i = FIRST + 1 + P, FIRST + P + L do
  problem = wrong_type(KEYS[i], 'hash')
  if problem then return problem end
end
if trim > 0 then
  local rows = redis.call('LLEN', outbox)
  if trim > rows then return { 'refused', 'the outbox has ' .. rows .. ' rows, ' .. trim .. " can't be trimmed" } end
end
local base = redis.call('HGET', meta, 'outbox_base') or '0'
if not tonumber(base) then return { 'refused', 'meta of this partition has an outbox_base that is no number' } end
local totals, zeros = {}, {}
for i = pop_at, meta_at - 1, SLICE do
  local last = math.min(i + SLICE - 1, meta_at - 1)
  local names = {}
  for j = i, last, 2 do
    names[#names + 1] = ARGV[j]
  end
  for j, before in ipairs(redis.call('HMGET', pop, unpack(names))) do
    local change = tonumber(ARGV[i + 2 * j - 1])
    local whole = not before or string.match(before, '^%-?%d+$')
    local total = whole and change and tonumber(before or '0') + change
    if not total then return { 'refused', 'population counter ' .. names[j] .. ' is no integer' } end
    -- One absurd amount must not stop a partition for good: a counter that is full stays full.
    total = math.max(-EXACT, math.min(EXACT, total))
    if total == 0 then
      zeros[#zeros + 1] = names[j]
    else
      totals[#totals + 1] = names[j]
      totals[#totals + 1] = string.format('%.0f', total)
    end
  end
end

-- From here on nothing may fail. Out of memory, read-only and the like stop a script at its first write alone, and
-- memory only where that write is of a kind that needs some: so a commit that adds anything starts with one, which
-- changes nothing, while one that only takes away gets through to a full Redis.
if P + L + S + O + N + G + W + Y > 0 or F >= 0 then
  redis.call('HSET', meta, 'token', ARGV[1])
end
if F >= 0 then
  redis.call('ZRANGESTORE', queue, KEYS[#KEYS], F, -1)
end
if U > 0 then
  redis.call('ZREMRANGEBYRANK', queue, 0, U - 1)
end
for i = FIRST + 1 + P + L, watched_at, SLICE do
  redis.call('UNLINK', unpack(KEYS, i, math.min(i + SLICE - 1, watched_at)))
end
for i = deleted_at, due_at - 1, SLICE do
  redis.call('ZREM', due, unpack(ARGV, i, math.min(i + SLICE - 1, due_at - 1)))
end
for i = 1, P, SLICE / 2 do
  local values = {}
  local n = 0
  for j = i, math.min(i + SLICE / 2 - 1, P) do
    values[n + 1] = KEYS[FIRST + j]
    values[n + 2] = ARGV[profile_at + j - 1]
    n = n + 2
  end
  redis.call('MSET', unpack(values))
end
at = ledger_at
for i = FIRST + 1 + P, FIRST + P + L do
  local last = at + 2 * tonumber(ARGV[at])
  for j = at + 1, last, SLICE do
    redis.call('HSET', KEYS[i], unpack(ARGV, j, math.min(j + SLICE - 1, last)))
  end
  at = last + 1
end
for i = due_at, undue_at - 1, SLICE do
  redis.call('ZADD', due, unpack(ARGV, i, math.min(i + SLICE - 1, undue_at - 1)))
end
for i = undue_at, rows_at - 1, SLICE do
  redis.call('ZREM', due, unpack(ARGV, i, math.min(i + SLICE - 1, rows_at - 1)))
end
for i = rows_at, pop_at - 1, SLICE do
  redis.call('RPUSH', outbox, unpack(ARGV, i, math.min(i + SLICE - 1, pop_at - 1)))
end
if trim > 0 then
  redis.call('LTRIM', outbox, trim, -1)
end
for i = goods_at, gone_at - 1, SLICE do
  redis.call('HSET', goods, unpack(ARGV, i, math.min(i + SLICE - 1, gone_at - 1)))
end
for i = gone_at, watchers_at - 1, SLICE do
  redis.call('HDEL', goods, unpack(ARGV, i, math.min(i + SLICE - 1, watchers_at - 1)))
end
at = watchers_at
for i = watched_at + 1, watched_at + W do
  local comes_at = at + 2
  local goes_at = comes_at + 2 * tonumber(ARGV[at])
  at = goes_at + tonumber(ARGV[at + 1])
  for j = comes_at, goes_at - 1, SLICE do
    redis.call('ZADD', KEYS[i], unpack(ARGV, j, math.min(j + SLICE - 1, goes_at - 1)))
  end
  for j = goes_at, at - 1, SLICE do
    redis.call('ZREM', KEYS[i], unpack(ARGV, j, math.min(j + SLICE - 1, at - 1)))
  end
end
for i = 1, #totals, SLICE do
  redis.call('HSET', pop, unpack(totals, i, math.min(i + SLICE - 1, #totals)))
end
for i = 1, #zeros, SLICE do
  redis.call('HDEL', pop, unpack(zeros, i, math.min(i + SLICE - 1, #zeros)))
end

local fields = { 'commits', string.format('%.0f', expected + 1), 'last', ARGV[3] }
-- Clock and T0 only move forward.
if clock_ms > (tonumber(stored[5] or '') or 0) then
  fields[#fields + 1] = 'clock_ms'
  fields[#fields + 1] = ARGV[5]
end
if t0_ms > (tonumber(stored[6] or '') or 0) then
  fields[#fields + 1] = 't0_ms'
  fields[#fields + 1] = ARGV[6]
end
if trim > 0 then
  fields[#fields + 1] = 'outbox_base'
  fields[#fields + 1] = string.format('%.0f', tonumber(base) + trim)
end
for i = notes_at, struck_at - 1, SLICE do
  redis.call('HSET', notes, unpack(ARGV, i, math.min(i + SLICE - 1, struck_at - 1)))
end
for i = struck_at, #ARGV, SLICE do
  redis.call('HDEL', notes, unpack(ARGV, i, math.min(i + SLICE - 1, #ARGV)))
end
for i = meta_at, goods_at - 1, SLICE do
  redis.call('HSET', meta, unpack(ARGV, i, math.min(i + SLICE - 1, goods_at - 1)))
end
redis.call('HSET', meta, unpack(fields))
return { 'ok', fields[2] }
