package generator_test

import (
	"bufio"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/datasets/generator"
)

// moa.txt was written by MOA 2024.07.0 on Java 17 (testdata/Pin.java): the rows are the same to the bit.
func TestSameRowsAsMOA(t *testing.T) {
	f, err := os.Open("testdata/moa.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	seen := 0
	for lines.Scan() {
		spec := strings.TrimSpace(strings.Split(lines.Text(), "|")[0])
		s, err := generator.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		x, hash := make([]float64, len(s.Meta().Columns)), fnv.New64a()
		for i := range 20000 {
			y := s.Next(x)
			var row []string
			for _, v := range append(slices.Clone(x), y) {
				b := math.Float64bits(v)
				_, _ = hash.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24), byte(b >> 32), byte(b >> 40), byte(b >> 48), byte(b >> 56)})
				row = append(row, strconv.FormatUint(b, 16))
			}
			if i < 3 && lines.Scan() && strings.Join(row, " ") != lines.Text() {
				t.Errorf("%s: row %d is\n%s, in MOA\n%s", spec, i+1, strings.Join(row, " "), lines.Text())
			}
		}
		if lines.Scan(); lines.Text() != fmt.Sprintf("fnv1a %x", hash.Sum64()) {
			t.Errorf("%s: the hash of 20,000 rows is %x, in MOA %s", spec, hash.Sum64(), lines.Text())
		}
		seen++
	}
	if seen < 30 {
		t.Errorf("%d streams", seen)
	}
}
