/**
 * The steps that Redis takes as one: a change, and the entry that tells every gateway of it.
 *
 * KEYS: the hash, the stream of changes, when sessions were used last. ARGV begins with the name of the hash.
 */

/** Entries kept of the stream: whoever is further behind has lost its connection, and loads anew. */
export const mostChanges = 10_000

/** ARGV: hash, field, before ('' absent), after ('' gone), entries kept. Gives the id of the entry, or 0. */
export const swapScript = `
local now = redis.call('HGET', KEYS[1], ARGV[2])
if (now or '') ~= ARGV[3] then return 0 end
if ARGV[4] == '' then redis.call('HDEL', KEYS[1], ARGV[2]) else redis.call('HSET', KEYS[1], ARGV[2], ARGV[4]) end
return redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[5], '*', 'h', ARGV[1], 'f', ARGV[2], 'v', ARGV[4])`

/** ARGV: hash, field, entries kept. A session that is not there any more is an end too: others may still have it. */
export const dropScript = `
if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 and ARGV[1] ~= 'sessions' then return 0 end
if ARGV[1] == 'sessions' then redis.call('HDEL', KEYS[3], ARGV[2]) end
return redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'h', ARGV[1], 'f', ARGV[2], 'v', '')`

/**
 * All at one stroke. No transaction: Redis takes none when its memory is full, and can still be read.
 *
 * KEYS: the hash of the mark, the stream, hashes. ARGV: the field of the mark. Gives mark, newest entry, pairs of each hash.
 */
export const loadScript = `
local all = {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)}
for at = 3, #KEYS do all[at] = redis.call('HGETALL', KEYS[at]) end
return all`

/** KEYS: sessions, used. ARGV: digest, milliseconds. No use keeps what has ended. */
export const useScript = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) end
return 0`

/**
 * KEYS: a counter. ARGV: milliseconds that are left, whether they begin anew with each ('1'), how many more, how many where there
 * are none. Gives the count and what is left.
 */
export const countScript = `
local count = redis.call('INCRBY', KEYS[1], ARGV[4 - redis.call('EXISTS', KEYS[1])])
local left = redis.call('PTTL', KEYS[1])
if left < 0 or (ARGV[2] == '1' and left < tonumber(ARGV[1])) then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}`

/** KEYS: a counter. Gives the count and what is left, of one moment. */
export const countedScript = `
return {tonumber(redis.call('GET', KEYS[1]) or 0), redis.call('PTTL', KEYS[1])}`

/** KEYS: the addresses of one name. ARGV: address, milliseconds since 1970, how many are kept, milliseconds. */
export const familiarScript = `
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 0`
