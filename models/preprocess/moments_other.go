//go:build !amd64

package preprocess

func addMoments(x, n, mean, m2, scale []float64) { addMomentsPlain(x, n, mean, m2, scale) }

func scaleValues(dst, x, mean, scale []float64) { scaleValuesPlain(dst, x, mean, scale) }
