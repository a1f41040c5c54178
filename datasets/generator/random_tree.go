package generator

var randomTreeSpec = Spec{
	Name: "random_tree",
	Doc: "Labels rows of uniform features by a tree of random splits. Trees fit it by construction; it does not drift. " +
		"Features: categories first, then numbers in [0, 1).",
	Source: "Domingos & Hulten, Mining High-Speed Data Streams, KDD 2000, §4; rows as MOA's RandomTreeGenerator",
	Params: []Param{
		rowSeed, seed("tree_seed", "seed of the tree; the seed of the rows unless given"),
		count("classes", 2, 2, 1000, "number of classes"),
		count("categories", 5, 0, 1000, "number of categorical features"),
		count("numbers", 5, 0, 1000, "number of numeric features"),
		count("values", 5, 2, 1000, "values of a category"),
		count("depth", 5, 0, 20, "greatest depth of the tree"),
		count("first_leaf", 3, 0, 20, "least depth of a leaf"),
		share("leaf_share", 0.15, "share of nodes from that depth on that are leaves"),
	},
	New: newRandomTree,
}

// maxTreeNodes bounds the memory of a random tree.
const maxTreeNodes = 1 << 20

// randomTree keeps its nodes in one slice; node 0 is the root.
type randomTree struct {
	meta       *Meta
	rng        *JavaRandom
	categories int
	values     int
	nodes      []treeNode
}

// treeNode is a split, or a leaf when column is -1. The children are consecutive from first on.
type treeNode struct {
	column int
	cut    float64
	class  int
	next   []int
}

func newRandomTree(a Args) (Stream, error) {
	t := &randomTree{meta: &Meta{Target: "class", Classes: names("class", a.int("classes"))}, rng: a.rand("seed"),
		categories: a.int("categories"), values: a.int("values")}
	values := names("value", t.values)
	for _, n := range names("nominal", t.categories) {
		t.meta.Columns = append(t.meta.Columns, Column{n, values})
	}
	numbers := a.int("numbers")
	for _, n := range names("numeric", numbers) {
		t.meta.Columns = append(t.meta.Columns, Column{n, nil})
	}
	g := &treeGrower{tree: t, rng: a.rand("tree_seed"), classes: a.int("classes"), depth: a.int("depth"), firstLeaf: a.int("first_leaf"), leafShare: a.float("leaf_share")}
	free := make([]int, t.categories)
	for i := range free {
		free[i] = i
	}
	low, high := make([]float64, numbers), make([]float64, numbers)
	for i := range high {
		high[i] = 1
	}
	return t, g.grow(0, free, low, high)
}

func (t *randomTree) Meta() *Meta     { return t.meta }
func (t *randomTree) Drifts() []Drift { return nil }

func (t *randomTree) Next(x []float64) float64 {
	for i := range x {
		if i < t.categories {
			x[i] = float64(t.rng.Int(t.values))
		} else {
			x[i] = t.rng.Float64()
		}
	}
	at := &t.nodes[0]
	for at.column >= 0 {
		branch := 1
		switch {
		case at.column < t.categories:
			branch = int(x[at.column])
		case x[at.column] < at.cut:
			branch = 0
		}
		at = &t.nodes[at.next[branch]]
	}
	return float64(at.class)
}

// treeGrower draws the tree depth first: whether a node is a leaf, then its class or its split, then its children.
type treeGrower struct {
	tree             *randomTree
	rng              *JavaRandom
	classes          int
	depth, firstLeaf int
	leafShare        float64
}

// grow appends a node and all below it. free are the categorical features that no split above took; low and high bound the numeric ones.
func (g *treeGrower) grow(depth int, free []int, low, high []float64) error {
	t := g.tree
	me := len(t.nodes)
	if me >= maxTreeNodes {
		return errTooLarge
	}
	t.nodes = append(t.nodes, treeNode{column: -1})
	if depth >= g.depth || depth >= g.firstLeaf && g.leafShare >= 1-g.rng.Float64() {
		t.nodes[me].class = g.rng.Int(g.classes)
		return nil
	}
	if len(free)+len(low) == 0 {
		return errNoFeatures
	}
	chosen := g.rng.Int(len(free) + len(low))
	if chosen < len(free) {
		t.nodes[me].column = free[chosen]
		rest := make([]int, 0, len(free)-1)
		rest = append(append(rest, free[:chosen]...), free[chosen+1:]...)
		for range t.values {
			if err := g.child(me, depth, rest, low, high); err != nil {
				return err
			}
		}
		return nil
	}
	i := chosen - len(free)
	cut := float64((high[i]-low[i])*g.rng.Float64()) + low[i]
	t.nodes[me].column, t.nodes[me].cut = t.categories+i, cut
	if err := g.child(me, depth, free, low, with(high, i, cut)); err != nil {
		return err
	}
	return g.child(me, depth, free, with(low, i, cut), high)
}

func (g *treeGrower) child(parent, depth int, free []int, low, high []float64) error {
	g.tree.nodes[parent].next = append(g.tree.nodes[parent].next, len(g.tree.nodes))
	return g.grow(depth+1, free, low, high)
}

func with(x []float64, i int, v float64) []float64 {
	out := append([]float64(nil), x...)
	out[i] = v
	return out
}
