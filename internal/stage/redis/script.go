package redis

import (
	goredis "github.com/redis/go-redis/v9"
)

// Limits of one commit and one load. Lua's unpack and the time for which a script blocks the server
// bound the fields; a commit is as whole as one HSET, so a dirty set must be committed before it grows
// beyond them.
const (
	MaxFields = 1000    // fields of one HSET, its position and head included
	MaxBytes  = 4 << 20 // of fields and values: 10 ms of a server, in a backlog of large states
	metaField = 2       // !off and !head
	loadKeys  = 500     // entities of one load command
)

// Every script checks first and writes once, last: an error in a script undoes nothing, and a script
// with one write is logged without MULTI. Commits of several hashes share a script only on a store
// that keeps no file (Options.Volatile).
const guard = `
local have = redis.call('HMGET', KEYS[1], '!ep', '!off')
if have[1] ~= ARGV[1] then return {'FENCED'} end
if (have[2] or '') ~= ARGV[2] then return {'STALE'} end
`

var (
	claimScript = goredis.NewScript(`
local fp = redis.call('HGET', KEYS[1], '!fp')
if fp and fp ~= ARGV[2] then return {'OTHER', fp} end
redis.call('HSET', KEYS[1], '!ep', ARGV[1], '!fp', ARGV[2])
local have = redis.call('HMGET', KEYS[1], '!off', '!head')
return {'OK', have[1] or '', have[2] or ''}
`)
	loadScript    = goredis.NewScript(loadText)
	commitScript  = goredis.NewScript(commitText)
	collectScript = goredis.NewScript(guard + `return {'OK', redis.call('HDEL', KEYS[1], unpack(ARGV, 3))}`)
)

// The texts of the two scripts that fence. They are variables of their own, so that the controls of internal/chaos can be linked with others
// (go build -ldflags -X): nothing in a running process changes them.
var (
	loadText = `
local out, a = {}, 1
for i = 1, #KEYS do
  local have = redis.call('HMGET', KEYS[i], '!ep', '!off')
  local n = tonumber(ARGV[a + 2])
  if have[1] ~= ARGV[a] then
    out[i] = {'FENCED'}
  elseif (have[2] or '') ~= ARGV[a + 1] then
    out[i] = {'STALE'}
  else
    out[i] = {'OK', redis.call('HMGET', KEYS[i], unpack(ARGV, a + 3, a + 2 + n))}
  end
  a = a + 3 + n
end
return out
`
	commitText = `
local out, a = {}, 1
for i = 1, #KEYS do
  local have = redis.call('HMGET', KEYS[i], '!ep', '!off')
  local n = tonumber(ARGV[a + 2])
  if have[1] ~= ARGV[a] then
    out[i] = 'FENCED'
  elseif (have[2] or '') ~= ARGV[a + 1] then
    out[i] = 'STALE'
  else
    redis.call('HSET', KEYS[i], unpack(ARGV, a + 3, a + 2 + n))
    out[i] = 'OK'
  end
  a = a + 3 + n
end
return out
`
)
