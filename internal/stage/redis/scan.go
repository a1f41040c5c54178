package redis

import (
	"context"
	"fmt"
	"strings"
)

// scanCount is how many fields the server is asked for at a time.
const scanCount = 1000

// Scan visits every entity of a hash, each once, in no particular order. It is for reports, audits and
// tests: while the hash changes, what it sees is no moment of it. Blobs belong to the visitor.
func (s *Store) Scan(ctx context.Context, hash string, visit func(key string, st State) error) error {
	states := map[string]State{}
	var cursor uint64
	for {
		pairs, next, err := s.cl.HScan(ctx, hash, cursor, "", scanCount).Result()
		if err != nil {
			return fmt.Errorf("scan %s: %w", hash, err)
		}
		for i := 0; i+1 < len(pairs); i += 2 {
			if key, ok := strings.CutPrefix(pairs[i], prefixMoving); ok {
				st := states[key]
				st.Moving = []byte(pairs[i+1])
				states[key] = st
			} else if key, ok := strings.CutPrefix(pairs[i], prefixSealed); ok {
				st := states[key]
				st.Sealed = []byte(pairs[i+1])
				states[key] = st
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	for key, st := range states {
		if err := visit(key, st); err != nil {
			return err
		}
	}
	return nil
}
