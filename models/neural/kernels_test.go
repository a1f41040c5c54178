package neural

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
)

// number32or64 is what the plain kernels below are written for.
type number32or64 interface{ float32 | float64 }

// plainForward is y += xW, four rows of W at a time.
func plainForward[T number32or64](w, x, y []T) {
	n := len(y)
	for i := 0; i+4 <= len(x); i += 4 {
		a, b, c, d := w[i*n:][:n], w[(i+1)*n:][:n], w[(i+2)*n:][:n], w[(i+3)*n:][:n]
		p, q, r, s := x[i], x[i+1], x[i+2], x[i+3]
		for j := range y {
			y[j] += T(T(T(a[j]*p)+T(b[j]*q)) + T(T(c[j]*r)+T(d[j]*s)))
		}
	}
}

// plainBackward is dx = W·dy, two rows of W at a time.
func plainBackward[T number32or64](w, dx, dy []T) {
	n := len(dy)
	for i := 0; i+2 <= len(dx); i += 2 {
		a, b := w[i*n:][:n], w[(i+1)*n:][:n]
		var s, t, u, v T
		for j := 0; j+1 < n; j += 2 {
			s += T(a[j] * dy[j])
			t += T(a[j+1] * dy[j+1])
			u += T(b[j] * dy[j])
			v += T(b[j+1] * dy[j+1])
		}
		dx[i], dx[i+1] = s+t, u+v
	}
}

// plainOuter is g += x·dyᵀ.
func plainOuter[T number32or64](g, x, dy []T) {
	n := len(dy)
	for i, v := range x {
		row := g[i*n:][:n]
		for j, d := range dy {
			row[j] += T(v * d)
		}
	}
}

func filled[T number32or64](n int) []T {
	v := make([]T, n)
	for i := range v {
		v[i] = T(i%17)*0.01 + 0.01
	}
	return v
}

// BenchmarkKernels compares gonum's products with loops in Go, 8 to 128 wide and deep: the numbers of docs/adr/0011-neural-kernels.md.
func BenchmarkKernels(b *testing.B) {
	run := func(name string, n int, f func()) {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
	for _, n := range []int{8, 16, 32, 64, 128} {
		w, g, x, y := filled[float64](n*n), filled[float64](n*n), filled[float64](n), filled[float64](n)
		run("forward, gonum", n, func() { copy(y, x); kernels.Dgemv(blas.Trans, n, n, 1, w, n, x, 1, 1, y, 1) })
		run("forward, Go", n, func() { copy(y, x); plainForward(w, x, y) })
		run("backward, gonum", n, func() { kernels.Dgemv(blas.NoTrans, n, n, 1, w, n, y, 1, 0, x, 1) })
		run("backward, Go", n, func() { plainBackward(w, x, y) })
		for i := range y {
			x[i], y[i] = 1e-3, 1e-3
		}
		run("outer, gonum", n, func() { kernels.Dger(n, n, 1, x, 1, y, 1, g, n) })
		run("outer, Go", n, func() { plainOuter(g, x, y) })
		w32, g32, x32, y32 := filled[float32](n*n), filled[float32](n*n), filled[float32](n), filled[float32](n)
		run("forward, Go float32", n, func() { copy(y32, x32); plainForward(w32, x32, y32) })
		run("backward, Go float32", n, func() { plainBackward(w32, x32, y32) })
		for i := range y32 {
			x32[i], y32[i] = 1e-3, 1e-3
		}
		run("outer, Go float32", n, func() { plainOuter(g32, x32, y32) })
		run("forward, gonum float32", n, func() { kernels.Sgemv(blas.Trans, n, n, 1, w32, n, x32, 1, 1, y32, 1) })
	}
}
