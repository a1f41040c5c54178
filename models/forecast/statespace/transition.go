package statespace

import "math"

// transition is how a covariance and a state go one step (or several at once) ahead.
type transition struct {
	rows   [][]entry // T by row, without zeros
	blocks []block   // set where T is block upper triangular with regular blocks of one or two states; nil: Gram-Schmidt
	noise  []noise   // Q as a sum of weighted squares
}

type entry struct {
	at int
	v  float64
}

// block is a place on the diagonal of T. Entries to the right of it are in more.
type block struct {
	at, size           int
	t11, t12, t21, t22 float64 // size 1: t11
	det, most          float64 // size 2: determinant, square of the greatest entry
	plain              bool    // size 1 and t11 = 1
	more               []link
}

// link is an entry of T outside of the blocks.
type link struct {
	row, at int
	v       float64
}

// noise is one independent source: weight · x x', where x holds values from its place first on.
type noise struct {
	first  int
	x      []float64
	weight float64
}

// newTransition prepares T and Q, which are checked.
func newTransition(t, q [][]float64) *transition {
	tr := &transition{rows: make([][]entry, len(t))}
	for i, row := range t {
		for j, v := range row {
			if v != 0 {
				tr.rows[i] = append(tr.rows[i], entry{j, v})
			}
		}
	}
	tr.blocks = blocksOf(t)
	u, d, err := factor(q)
	if err != nil {
		panic("statespace: Q was not checked: " + err.Error())
	}
	for k, w := range d {
		if w == 0 {
			continue
		}
		x := append(append([]float64(nil), column(u, k)...), 1)
		first := 0
		for x[first] == 0 {
			first++
		}
		tr.noise = append(tr.noise, noise{first: first, x: x[first:], weight: w})
	}
	return tr
}

// leastBlock bounds the determinants of blocks: U is divided by them, and of what a smaller one leaves the noise that follows would keep no digit.
const leastBlock = 1e-4

// blocksOf finds the blocks of T, nil if it has none of the form that they need.
func blocksOf(t [][]float64) []block {
	n := len(t)
	below := func(i int) int { // the lowest row ≥ i with an entry in column i
		last := i
		for r := i + 1; r < n; r++ {
			if t[r][i] != 0 {
				last = r
			}
		}
		return last
	}
	var out []block
	for i := 0; i < n; {
		b := block{at: i, size: 1 + below(i) - i, t11: t[i][i]}
		switch {
		case b.size == 1 && math.Abs(b.t11) >= leastBlock:
			b.plain = b.t11 == 1
		case b.size == 2 && below(i+1) == i+1 && math.Abs(t[i][i]*t[i+1][i+1]-t[i][i+1]*t[i+1][i]) >= leastBlock:
			b.t12, b.t21, b.t22 = t[i][i+1], t[i+1][i], t[i+1][i+1]
			b.det = b.t11*b.t22 - b.t12*b.t21
			b.most = math.Pow(max(math.Abs(b.t11), math.Abs(b.t12), math.Abs(b.t21), math.Abs(b.t22)), 2)
		default:
			return nil
		}
		for r := i; r < i+b.size; r++ {
			for j := i + b.size; j < n; j++ {
				if t[r][j] != 0 {
					b.more = append(b.more, link{r, j, t[r][j]})
				}
			}
		}
		out = append(out, b)
		i += b.size
	}
	return out
}

// mean moves the state one step; scratch has its length. Cost: the entries of T.
func (tr *transition) mean(a, scratch []float64) {
	if tr.blocks != nil {
		tr.apply(a)
		return
	}
	for i, row := range tr.rows {
		s := 0.0
		for _, e := range row {
			s += float64(e.v * a[e.at])
		}
		scratch[i] = s
	}
	copy(a, scratch)
}

// apply multiplies x by T of blocks in place.
func (tr *transition) apply(x []float64) {
	for b := range tr.blocks {
		k := &tr.blocks[b]
		if k.size == 2 {
			x1, x2 := x[k.at], x[k.at+1]
			x[k.at] = float64(k.t11*x1) + float64(k.t12*x2)
			x[k.at+1] = float64(k.t21*x1) + float64(k.t22*x2)
		} else if !k.plain {
			x[k.at] *= k.t11
		}
		for _, l := range k.more {
			x[l.row] += float64(l.v * x[l.at])
		}
	}
}

// workspace is what a covariance needs to make a step.
type workspace struct {
	x      []float64
	w      [][]float64 // for Gram-Schmidt
	weight []float64
	size   []float64
	most   []float64 // by state: the greatest variance that it ever had, part of what a filter saves
	c      []float64
}

func newWorkspace(n int, tr *transition) workspace {
	s := workspace{x: make([]float64, n), size: make([]float64, n), most: make([]float64, n)}
	if tr.blocks == nil {
		s.w = zeros(n, n+len(tr.noise))
		s.weight, s.c = make([]float64, n+len(tr.noise)), make([]float64, n+len(tr.noise))
	}
	return s
}

// covariance moves p one step: T P T' + Q. Cost: O(n²) and a third of n³ for noise on all n states; O(n³) without blocks.
func (tr *transition) covariance(p *ud, s *workspace) {
	if tr.blocks == nil {
		tr.gramSchmidt(p, s)
		return
	}
	tr.transform(p)
	for i := range tr.noise {
		e := &tr.noise[i]
		if !(e.weight > 0) {
			continue
		}
		clear(s.x[:e.first])
		copy(s.x[e.first:], e.x)
		p.addRankOne(e.weight, s.x, e.first+len(e.x)-1)
	}
}

// transform sets p to T P T' for T of blocks: the rows of U are multiplied by T, block after block (what a block takes from later rows is still as it was); then
// the columns of the block are combined so that U is unit upper triangular again, which for two columns has a closed form (Gram-Schmidt of two vectors).
func (tr *transition) transform(p *ud) {
	for b := range tr.blocks {
		k := &tr.blocks[b]
		at := k.at
		if k.size == 2 {
			k.turnRows(p.u, len(p.d))
			first, second := column(p.u, at), column(p.u, at+1)
			u := second[at]
			b11, b12 := k.t11, float64(k.t11*u)+k.t12
			b21, b22 := k.t21, float64(k.t21*u)+k.t22
			size := float64(k.most*(p.d[at]+float64(float64(u*u)*p.d[at+1]))) + float64(k.most*p.d[at+1])
			second[at] = recombine(first, second[:at], p.d[at:at+2], b11, b12, b21, b22, size, k.det)
		} else if !k.plain {
			k.scaleRow(p.u, len(p.d))
			p.d[at] *= float64(k.t11 * k.t11)
			inverse := 1 / k.t11
			col := column(p.u, at)
			for i := range col {
				col[i] *= inverse
			}
		}
		for _, l := range k.more {
			l.addRow(p.u, len(p.d))
		}
	}
}

// turnRows multiplies the two rows of the block, in the columns to its right.
func (k *block) turnRows(u []float64, n int) {
	t11, t12, t21, t22 := k.t11, k.t12, k.t21, k.t22
	for j, at := k.at+2, (k.at+2)*(k.at+1)/2+k.at; j < n; j++ {
		pair := u[at : at+2 : at+2]
		x1, x2 := pair[0], pair[1]
		pair[0] = float64(t11*x1) + float64(t12*x2)
		pair[1] = float64(t21*x1) + float64(t22*x2)
		at += j
	}
}

func (k *block) scaleRow(u []float64, n int) {
	for j, at := k.at+1, (k.at+1)*k.at/2+k.at; j < n; j++ {
		u[at] *= k.t11
		at += j
	}
}

// addRow adds v times a later row to a row.
func (l *link) addRow(u []float64, n int) {
	from := l.at * (l.at - 1) / 2
	u[from+l.row] += l.v
	for j := l.at + 1; j < n; j++ {
		from += j - 1
		u[from+l.row] += float64(l.v * u[from+l.at])
	}
}

// recombine makes the columns of a block B with weights d unit upper triangular, and returns what stands above the second diagonal. size is what the second
// variance could be: what is below rounding of that is zero.
func recombine(first, second, d []float64, b11, b12, b21, b22, size, det float64) float64 {
	d1, d2 := d[0], d[1]
	s1, s2 := float64(b21*d1), float64(b22*d2)
	below := float64(b21*s1) + float64(b22*s2)
	if !(below > roundedVariance*size) || !(below > leastVariance) { // nothing varies in the second state
		above := float64(float64(b11*b11)*d1) + float64(float64(b12*b12)*d2)
		for i := range first {
			w1, w2 := first[i], second[i]
			first[i], second[i] = 0, 0
			if above > 0 {
				first[i] = (float64(float64(w1*b11)*d1) + float64(float64(w2*b12)*d2)) / above
			}
		}
		d[0], d[1] = above, 0
		return 0
	}
	inverse, regular := 1/below, 1/det
	s1, s2 = float64(s1*inverse), float64(s2*inverse)
	p1, p2 := float64(b22*regular), float64(b21*regular)
	second = second[:len(first)]
	for i, w1 := range first {
		w2 := second[i]
		first[i] = float64(w1*p1) - float64(w2*p2)
		second[i] = float64(w1*s1) + float64(w2*s2)
	}
	d[0], d[1] = float64(float64(det*det)*d1)*float64(d2*inverse), below
	return float64(b11*s1) + float64(b12*s2)
}

// gramSchmidt makes a step for any T.
func (tr *transition) gramSchmidt(p *ud, s *workspace) {
	n := len(p.d)
	for i, row := range tr.rows { // W = [T U | noise]
		w := s.w[i]
		clear(w)
		for _, e := range row {
			w[e.at] += e.v
			for k := e.at + 1; k < n; k++ {
				w[k] += float64(e.v * p.u[k*(k-1)/2+e.at])
			}
		}
		for k := range tr.noise {
			if e := &tr.noise[k]; i >= e.first && i < e.first+len(e.x) {
				w[n+k] = e.x[i-e.first]
			}
		}
	}
	copy(s.weight, p.d)
	for k := range tr.noise {
		s.weight[n+k] = tr.noise[k].weight
	}
	tr.sizes(p, s)
	p.orthogonalise(s.w, s.weight, s.size, s.c)
}

// sizes sets s.size to the variances that the rows of T U could have, as great as each state's ever was: a value without noise leaves a trace of rounding
// where a variance should be zero, of the size of what it was before.
func (tr *transition) sizes(p *ud, s *workspace) {
	n := len(p.d)
	for i := range n {
		own := p.d[i]
		for k := i + 1; k < n; k++ {
			u := p.u[k*(k-1)/2+i]
			own += u * u * p.d[k]
		}
		s.most[i] = math.Max(s.most[i], own)
	}
	for i, row := range tr.rows {
		total := 0.0
		for _, e := range row {
			total += e.v * e.v * s.most[e.at]
		}
		for k := n; k < len(s.weight); k++ {
			total += s.weight[k] * s.w[i][k] * s.w[i][k]
		}
		s.size[i] = total
	}
}
