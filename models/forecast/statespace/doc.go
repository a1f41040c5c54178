// Package statespace holds linear Gaussian state space models: composed from blocks or given as matrices, filtered, smoothed,
// forecast and sampled. The forecasters unobserved_components, dynamic_linear_model and local_level stand on it; it is pure and knows nothing of them.
//
// A model is, for t = 1, 2, …
//
//	y(t) = Z a(t) + ε(t), ε ~ N(0, H);   a(t+1) = T a(t) + η(t), η ~ N(0, Q);   a(1) ~ N(a1, P1) + diffuse,
//
// (Durbin & Koopman 2012, §3.1; Q is their R Q R'). Where Z moves with time it is given for each step.
//
// Numerics. Values of one time are taken in one after the other (univariate treatment: Durbin & Koopman 2012, §6.4), after the noises of
// a time were made independent by H = L D L'. The covariance is kept as P = U D U' with U unit upper triangular: a value is taken in by
// Bierman's update (Bierman 1977, §V.3), a step is made by rank-one updates (Agee & Turner 1972) where T is block triangular with blocks of one or two
// states, as for levels, trends, harmonics, cycles and coefficients, and else by Thornton's weighted Gram-Schmidt (Bierman 1977, §VI.4). P is never formed and never
// loses its sign. The diffuse start is exact (Koopman & Durbin 2003): its part of the covariance is kept as a factor A with P∞ = A A', from which
// each value takes one column, so that the number of columns says how much is still unknown. A diffuse value is taken in as
// P* ← (I − K z') P* (I − K z')' + h K K' with K = P∞ z / z' P∞ z, which is their formula, in the factors U and D. Structural, for
// models of many waves whose values have noise, trades that safety for speed.
package statespace
