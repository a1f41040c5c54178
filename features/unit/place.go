package unit

import (
	"unsafe"

	"github.com/freshet-ml/freshet/features"
)

// DefaultBuckets is the number of buckets of an entity type that names none.
const DefaultBuckets = 16

// Name returns the name of the entity type.
func (p *Program) Name() string { return p.entity.Name }

// Buckets returns how many parts the entities of the type are dealt to.
func (p *Program) Buckets() int {
	if p.entity.Buckets <= 0 {
		return DefaultBuckets
	}
	return p.entity.Buckets
}

// Bucket returns the bucket of a key. It is part of the storage format.
func (p *Program) Bucket(key []byte) int {
	return int(features.Hash(unsafe.String(unsafe.SliceData(key), len(key))) % uint64(p.Buckets()))
}

// PartitionOf is the parts partition, among so many, that a unit (entity type, bucket) belongs to: whoever owns
// the partition runs the unit.
func PartitionOf(entity string, bucket, partitions int) int32 {
	return int32(features.Mix(features.Hash(entity)+uint64(bucket)) % uint64(partitions))
}
