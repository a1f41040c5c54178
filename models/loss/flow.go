package loss

import "math"

// Flow is how far the score moves from p when it follows the gradient, continuously, for the time h ≥ 0: dp/dt = −L′(p). It never
// passes the minimum, whatever h is, and two examples of weight 1 move it as far as one of weight 2
// (Karampatziakis and Langford 2011, "Online importance weight aware updates", table 1). A loss without a closed form takes one
// step −h·L′(p), at most Reach.
func Flow(l Loss, p, y, h float64) float64 {
	switch l := l.(type) {
	case Squared:
		return (y - p) * -math.Expm1(-h)
	case Absolute:
		return float64(sign(y-p) * min(h, math.Abs(y-p)))
	case EpsilonInsensitive:
		return float64(sign(y-p) * min(h, l.Value(p, y)))
	case Quantile:
		return -float64(sign(l.Gradient(p, y)) * min(float64(h*math.Abs(l.Gradient(p, y))), math.Abs(y-p)))
	case Huber:
		return float64(sign(y-p) * huberFlow(math.Abs(y-p), l.Delta, h))
	case Logistic:
		return float64(side(y) * logisticFlow(float64(side(y)*p), h))
	case Hinge:
		return float64(side(y) * min(h, l.Value(p, y)))
	case SquaredHinge:
		return float64(side(y) * float64(Hinge{}.Value(p, y)*-math.Expm1(-2*h)))
	case ModifiedHuber:
		return float64(side(y) * modifiedHuberFlow(float64(side(y)*p), h))
	case Poisson:
		return poissonFlow(p, max(0, y), h)
	}
	move, reach := -float64(h*l.Gradient(p, y)), l.Reach(p, y)
	return max(-reach, min(reach, move))
}

// huberFlow is linear at speed delta until the distance d is delta, then exponential.
func huberFlow(d, delta, h float64) float64 {
	if d <= delta {
		return d * -math.Expm1(-h)
	}
	if far := (d - delta) / delta; h > far {
		return d - delta + float64(delta*-math.Expm1(far-h))
	}
	return delta * h
}

// logisticFlow solves z + e^z = z₀ + e^z₀ + h for the move z − z₀ ≥ 0: by Newton's method on the logarithm, from above, where the
// function is convex and the steps cannot overshoot.
func logisticFlow(z0, h float64) float64 {
	if z0 > 30 {
		return h * math.Exp(-min(z0, 700)) // the slope stays what it is
	}
	e0 := math.Exp(z0)
	if end := z0 + e0 + h; z0 < -37 || end > 1e15 { // the move is so long that taking z₀ off loses nothing, and e^z₀ is nothing
		return max(0, min(h, sumOfExp(end)-z0))
	}
	move := min(h, max(0, -z0)+math.Log1p(h)) // not below the root
	for range 50 {
		grown := e0 * math.Expm1(min(move, 700))
		step := (move + grown - h) / (1 + e0 + grown)
		move -= step
		if math.Abs(step) <= 1e-14*(1+move) {
			break
		}
	}
	return max(0, min(h, move))
}

// sumOfExp solves z + e^z = end, from above too: Newton's method cannot overshoot.
func sumOfExp(end float64) float64 {
	if end < -37 {
		return end
	}
	z := end
	if end > 1 {
		z = math.Log(end)
	}
	for range 50 {
		grown := math.Exp(z)
		step := (z + grown - end) / (1 + grown)
		z -= step
		if math.Abs(step) <= 1e-14*(1+math.Abs(z)) {
			break
		}
	}
	return z
}

func modifiedHuberFlow(z, h float64) float64 {
	move := 0.0
	if z < -1 {
		if move = min(4*h, -1-z); float64(4*h) <= -1-z {
			return move
		}
		h -= move / 4
		z = -1
	}
	if z >= 1 {
		return move
	}
	return move + float64((1-z)*-math.Expm1(-2*h))
}

// poissonFlow: u = e^p follows du/dt = u(y − u).
func poissonFlow(p, y, h float64) float64 {
	u := Poisson{}.Answer(p)
	if y == 0 {
		if grown := u * h; !math.IsInf(grown, 0) {
			return -math.Log1p(grown)
		}
		return -(math.Log(u) + math.Log(h))
	}
	grown, left := u*(-math.Expm1(-y*h)/y), math.Exp(-y*h)
	if math.IsInf(grown, 0) {
		return -(math.Log(u) - math.Log(y) + math.Log(-math.Expm1(-y*h)))
	}
	return -math.Log(grown + left)
}
