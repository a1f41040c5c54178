package optim

// rmsPairs is rmsMovePlain over the first 2·pairs weights, two at a time (SSE2, which every amd64 has). Each operation rounds as the plain one does, so the bits are the same.
//
//go:noescape
func rmsPairs(w, grad, mean *float64, pairs int, rate, discount, fresh, epsilon float64)

// rmsMove is the step of RMSProp over a block. The root and the division bound its speed; two at a time take half as long.
func rmsMove(w, grad, mean []float64, rate, discount, epsilon float64) {
	pairs := len(w) / 2
	if pairs > 0 {
		grad, mean = grad[:len(w)], mean[:len(w)]
		rmsPairs(&w[0], &grad[0], &mean[0], pairs, rate, discount, 1-discount, epsilon)
	}
	rmsMovePlain(w[2*pairs:], grad[2*pairs:], mean[2*pairs:], rate, discount, epsilon)
}
