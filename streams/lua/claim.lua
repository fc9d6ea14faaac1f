-- Take ownership of one partition: from now on commits under any other token are refused.
--
-- EVALSHA sha 2
--   KEYS: meta outbox
--   ARGV: token (random, made by the caller for this claim)
--
-- Keys touched, both with the hash tag of the partition, both in KEYS:
--   meta    hash  written: token, epoch; commits and outbox_base when the partition is new
--   outbox  list  read
--
-- Answers: {'ok', fresh ('1' when there was no meta before), meta as field, value, ..., outbox rows};
-- {'refused', reason}. Sent twice with the same token it changes nothing the second time.

local function wrong_type(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= wanted and found ~= 'none' then
    return { 'refused', 'key ' .. key .. ' holds a ' .. found .. ', not a ' .. wanted ..
      ': something else wrote it; look at it, then delete or rename it' }
  end
end

local meta, outbox, token = KEYS[1], KEYS[2], ARGV[1]
local problem = wrong_type(meta, 'hash') or wrong_type(outbox, 'list')
if problem then return problem end
if redis.call('HEXISTS', meta, 'wiping') == 1 then
  return { 'refused', 'this partition was wiped half: run `regulars rebuild` for it again' }
end

local stored = redis.call('HMGET', meta, 'token', 'epoch', 'fresh')
local fresh = stored[1] == false or (stored[1] == token and stored[3] == '1')
if stored[1] ~= token then
  local epoch = tonumber(stored[2] or '0')
  if not epoch then return { 'refused', 'meta of this partition has an epoch that is no number' } end
  if fresh then
    -- `fresh` stays until the next claim, so that a repeated call answers as the first one did.
    redis.call('HSET', meta, 'token', token, 'epoch', '1', 'commits', '0', 'outbox_base', '0', 'fresh', '1')
  else
    redis.call('HSET', meta, 'token', token, 'epoch', string.format('%.0f', epoch + 1))
    redis.call('HDEL', meta, 'fresh')
  end
end
return { 'ok', fresh and '1' or '0', redis.call('HGETALL', meta), redis.call('LRANGE', outbox, 0, -1) }
