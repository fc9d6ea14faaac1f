-- Take a partition away from whoever holds it, and change fields of its meta, by an operator's decision.
--
-- EVALSHA sha 1
--   KEYS: meta
--   ARGV: token (random), S, R, then S pairs field, value to set, then R fields to take out;
--         a field to take out that ends in '*' stands for all fields that start so
--
-- Key touched: meta, hash, written: token, epoch, the fields named; commits and outbox_base when it is new.
--
-- Answers: {'ok', epoch}; {'refused', reason}. Sent twice with the same token it changes nothing more.

local meta, token = KEYS[1], ARGV[1]
local found = redis.call('TYPE', meta).ok
if found ~= 'hash' and found ~= 'none' then
  return { 'refused', 'key ' .. meta .. ' holds a ' .. found .. ', not a hash: something else wrote it' }
end
local sets, removals = tonumber(ARGV[2] or ''), tonumber(ARGV[3] or '')
if not sets or not removals or #ARGV ~= 3 + 2 * sets + removals then
  return { 'refused', 'the values are not as many as their counts say' }
end
local stored = redis.call('HMGET', meta, 'token', 'epoch')
local epoch = tonumber(stored[2] or '0')
if not epoch then return { 'refused', 'meta of this partition has an epoch that is no number' } end
if stored[1] ~= token then epoch = epoch + 1 end

redis.call('HSET', meta, 'token', token, 'epoch', string.format('%.0f', epoch))
redis.call('HSETNX', meta, 'commits', '0')
redis.call('HSETNX', meta, 'outbox_base', '0')
redis.call('HDEL', meta, 'fresh', 'last')
for i = 4, 3 + 2 * sets, 2 do
  redis.call('HSET', meta, ARGV[i], ARGV[i + 1])
end
for i = 4 + 2 * sets, #ARGV do
  local name = ARGV[i]
  if string.sub(name, -1) == '*' then
    for _, field in ipairs(redis.call('HKEYS', meta)) do
      if string.sub(field, 1, #name - 1) == string.sub(name, 1, -2) then redis.call('HDEL', meta, field) end
    end
  else
    redis.call('HDEL', meta, name)
  end
end
return { 'ok', string.format('%.0f', epoch) }
