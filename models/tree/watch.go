package tree

// watch is what an adaptive tree keeps at a node besides.
type watch struct {
	alternate int32 // root of the subtree that is grown to replace this one, −1: none
}
