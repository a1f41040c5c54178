package redis_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

func eachStore(b *testing.B, bench func(b *testing.B, s *redis.Store)) {
	b.Run("embedded", func(b *testing.B) {
		srv, err := embedded.Start(embedded.Options{NoBroker: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(srv.Close)
		bench(b, open(b, srv.Redis))
	})
	b.Run("volatile", func(b *testing.B) {
		srv, err := embedded.Start(embedded.Options{NoBroker: true})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(srv.Close)
		bench(b, openWith(b, redis.Options{Addrs: []string{srv.Redis}, Volatile: true}))
	})
	b.Run("redis-server", func(b *testing.B) { bench(b, open(b, startServer(b, b.TempDir(), "--save", "").addr)) })
}

// One commit of so many entities with a moving head of 80 bytes each.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 100, 499} {
		b.Run(fmt.Sprint(n, " entities"), func(b *testing.B) {
			eachStore(b, func(b *testing.B, s *redis.Store) {
				c := claim(b, s)
				var batch redis.Batch
				value := make([]byte, 80)
				for i := range int64(n) {
					if err := batch.Put(fmt.Sprint("entity ", i), redis.State{Moving: value}); err != nil {
						b.Fatal(err)
					}
				}
				var offset int64
				for b.Loop() {
					offset++
					if err := c.Commit(context.Background(), &batch, at(offset), 0); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

// Commits of 32 hashes with 10 entities each, in one trip.
func BenchmarkCommitUnits(b *testing.B) {
	eachStore(b, func(b *testing.B, s *redis.Store) {
		var commits []redis.Commit
		for i := range 32 {
			h := hash
			h.Bucket = i
			c, err := s.Claim(context.Background(), h, "fp")
			if err != nil {
				b.Fatal(err)
			}
			batch := new(redis.Batch)
			for j := range 10 {
				if err := batch.Put(fmt.Sprint("entity ", j), redis.State{Moving: make([]byte, 80)}); err != nil {
					b.Fatal(err)
				}
			}
			commits = append(commits, redis.Commit{Claim: c, Batch: batch})
		}
		var offset int64
		for b.Loop() {
			offset++
			for i := range commits {
				commits[i].At = at(offset)
			}
			if err := s.Commit(context.Background(), commits...); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What a prediction reads: one entity of each of four types, both blobs.
func BenchmarkRead(b *testing.B) {
	eachStore(b, func(b *testing.B, s *redis.Store) {
		var lookups []redis.Lookup
		for _, entity := range []string{"origin", "route", "plane", "carrier"} {
			h := hash
			h.Entity = entity
			c, err := s.Claim(context.Background(), h, "fp")
			if err != nil {
				b.Fatal(err)
			}
			var batch redis.Batch
			if err := batch.Put("k", redis.State{Moving: make([]byte, 80), Sealed: make([]byte, 400)}); err != nil {
				b.Fatal(err)
			}
			if err := c.Commit(context.Background(), &batch, at(1), 0); err != nil {
				b.Fatal(err)
			}
			lookups = append(lookups, redis.Lookup{Hash: h.Key(), Keys: []string{"k"}})
		}
		b.ReportAllocs()
		var views []redis.View
		for b.Loop() {
			var err error
			if views, err = s.Read(context.Background(), lookups, views[:0]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
