package generator

import "math"

// JavaRandom is the random generator of java.util.Random: a linear congruence of 48 bits (Knuth, The Art of Computer
// Programming 2, §3.2.1), as the Java Platform specifies it bit for bit. With it streams of programs in Java are made
// again exactly. It is weak by today's measure: use it for that purpose only. The zero value is no valid generator.
type JavaRandom struct {
	seed     uint64
	gaussian float64 // the second deviate of the pair, kept for the next call
	kept     bool
}

const (
	javaMultiplier = 0x5DEECE66D
	javaMask       = 1<<48 - 1
)

// NewJavaRandom returns a generator in the state after new Random(seed).
func NewJavaRandom(seed int64) *JavaRandom {
	return &JavaRandom{seed: (uint64(seed) ^ javaMultiplier) & javaMask}
}

// bits returns the next n ≤ 32 high bits, signed as Java's next(n).
func (r *JavaRandom) bits(n uint) int32 {
	r.seed = (r.seed*javaMultiplier + 0xB) & javaMask
	return int32(r.seed >> (48 - n))
}

// Int returns nextInt(n): uniform in [0, n). It panics for n ≤ 0.
func (r *JavaRandom) Int(n int) int {
	if n <= 0 || n > math.MaxInt32 {
		panic("generator: the bound of Int must be in [1, 2^31)")
	}
	u, bound := r.bits(31), int32(n)
	if bound&(bound-1) == 0 {
		return int(int64(bound) * int64(u) >> 31)
	}
	v := u % bound
	for u-v+(bound-1) < 0 { // overflow: u is in the last, incomplete stretch
		u = r.bits(31)
		v = u % bound
	}
	return int(v)
}

// Float64 returns nextDouble(): uniform in [0, 1), 53 bits.
func (r *JavaRandom) Float64() float64 {
	high := int64(r.bits(26)) << 27
	return float64(high+int64(r.bits(27))) * (1.0 / (1 << 53))
}

// Normal returns nextGaussian(): a standard normal deviate by the polar method (Marsaglia & Bray 1964).
func (r *JavaRandom) Normal() float64 {
	if r.kept {
		r.kept = false
		return r.gaussian
	}
	for {
		a, b := 2*r.Float64()-1, 2*r.Float64()-1
		s := float64(a*a) + float64(b*b)
		if s >= 1 || s == 0 {
			continue
		}
		scale := math.Sqrt(-2 * strictLog(s) / s)
		r.gaussian, r.kept = b*scale, true
		return a * scale
	}
}

// strictLog is the natural logarithm of a normal number in (0, 1), rounded as FreeBSD's msun and Java's StrictMath round it: math.Log joins two of
// its branches and differs in the last bit now and then. The method: x = 2^k (1 + f); log(1+f) from the series of
// s = f/(2+f), with an even and an odd part of a minimax polynomial in s².
func strictLog(x float64) float64 {
	const (
		ln2Hi = 6.93147180369123816490e-01
		ln2Lo = 1.90821492927058770002e-10
		c1    = 6.666666666666735130e-01
		c2    = 3.999999999940941908e-01
		c3    = 2.857142874366239149e-01
		c4    = 2.222219843214978396e-01
		c5    = 1.818357216161805012e-01
		c6    = 1.531383769920937332e-01
		c7    = 1.479819860511658591e-01
	)
	b := math.Float64bits(x)
	hx := int32(b >> 32)
	k := hx>>20 - 1023
	hx &= 0xfffff
	up := (hx + 0x95f64) & 0x100000 // a mantissa above √2 is halved
	k += up >> 20
	f := math.Float64frombits(uint64(uint32(hx|(up^0x3ff00000)))<<32|b&0xffffffff) - 1
	dk := float64(k)
	if 0xfffff&(2+hx) < 3 { // |f| < 2^-20
		if f == 0 {
			return float64(dk*ln2Hi) + float64(dk*ln2Lo)
		}
		r := float64(f*f) * (0.5 - float64(0.33333333333333333*f))
		return float64(dk*ln2Hi) - ((r - float64(dk*ln2Lo)) - f)
	}
	s := f / (2 + f)
	z := s * s
	w := z * z
	even := w * (c2 + float64(w*(c4+float64(w*c6))))
	odd := z * (c1 + float64(w*(c3+float64(w*(c5+float64(w*c7))))))
	r := odd + even
	if (hx-0x6147a)|(0x6b851-hx) > 0 {
		half := float64(0.5*f) * f
		if k == 0 {
			return f - (half - float64(s*(half+r)))
		}
		return float64(dk*ln2Hi) - ((half - (float64(s*(half+r)) + float64(dk*ln2Lo))) - f)
	}
	if k == 0 {
		return f - float64(s*(f-r))
	}
	return float64(dk*ln2Hi) - ((float64(s*(f-r)) - float64(dk*ln2Lo)) - f)
}
