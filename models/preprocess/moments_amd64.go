package preprocess

import "golang.org/x/sys/cpu"

// four says that the processor works on four numbers at once.
var four = cpu.X86.HasAVX

// addQuads is addMomentsPlain over the first 4·quads columns. Each operation rounds as the plain one does, so the bits are the same.
//
//go:noescape
func addQuads(x, n, mean, m2, scale *float64, quads int)

// scaleQuads is scaleValuesPlain over the first 4·quads columns.
//
//go:noescape
func scaleQuads(dst, x, mean, scale *float64, quads int)

// addMoments takes in a row. Root and divisions bound its speed; four at a time take a third as long.
func addMoments(x, n, mean, m2, scale []float64) {
	k := 0
	if four && len(x) >= 4 {
		k = len(x) &^ 3
		n, mean, m2, scale = n[:len(x)], mean[:len(x)], m2[:len(x)], scale[:len(x)]
		addQuads(&x[0], &n[0], &mean[0], &m2[0], &scale[0], k/4)
		if k == len(x) {
			return
		}
	}
	addMomentsPlain(x[k:], n[k:], mean[k:], m2[k:], scale[k:])
}

// scaleValues writes the scaled values of x to dst.
func scaleValues(dst, x, mean, scale []float64) {
	k := 0
	if four && len(x) >= 4 {
		k = len(x) &^ 3
		dst, mean, scale = dst[:len(x)], mean[:len(x)], scale[:len(x)]
		scaleQuads(&dst[0], &x[0], &mean[0], &scale[0], k/4)
		if k == len(x) {
			return
		}
	}
	scaleValuesPlain(dst[k:], x[k:], mean[k:], scale[k:])
}
