//go:build !amd64

package optim

func rmsMove(w, grad, mean []float64, rate, discount, epsilon float64) {
	rmsMovePlain(w, grad, mean, rate, discount, epsilon)
}
