// Package redis keeps the state of every entity, and the position in the log that it belongs to, in
// one Redis hash for each (project, generation, entity type, bucket). It stands behind the feature
// units, which write, and in front of the servers, which read; it alone speaks to Redis.
//
// A hash has one owner, named by a random nonce that is claimed before the first read. Every load and
// commit compares nonce and position first, and a commit is one HSET of the position and all entities
// that changed: it is there whole or not at all, also after a torn append-only file, and state and
// position can only roll back together. What a zombie sends is refused as Fenced; what belongs to a
// state that the server has lost, as Stale. When the outcome of a commit is not known, drop the cache,
// claim again and go on from the position that is there: nothing is ever retried blindly.
//
// Fields of a hash: !ep owner nonce (26 random letters and digits), !off position (frame.Position, encoded), !head
// newest event time (µs, decimal), !fp fingerprint; h:<key> the moving head of an entity's state and
// t:<key> its sealed tiles. Keys may be any bytes: their prefix keeps them apart from the rest.
package redis
