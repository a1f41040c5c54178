package stage

// LaneHigh and DefaultFetchBytes are the bounds of a lane.
const (
	LaneHigh          = laneHigh
	DefaultFetchBytes = defaultFetchBytes
)

// Held is the number of bytes in the lane of a partition.
func (l *Lanes) Held(partition int32) int {
	n := l.lanes[partition]
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.bytes
}
