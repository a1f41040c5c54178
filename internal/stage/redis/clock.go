package redis

import (
	"context"
	"fmt"
	"time"
)

// Clock returns the time of the server, of one of its nodes in a cluster. Commands never use it; it shows
// whether the machines' clocks agree.
func (s *Store) Clock(ctx context.Context) (time.Time, error) {
	t, err := s.cl.Time(ctx).Result()
	if err != nil {
		return t, fmt.Errorf("redis: time: %w", err)
	}
	return t, nil
}
