package draw_test

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/trainer/evaluate/draw"
)

func square(c draw.Canvas) {
	c.Area([][2]float64{{2, 2}, {8, 2}, {8, 8}, {2, 8}}, draw.Palette[0])
	c.Area([][2]float64{{0, 0}, {1, 1}}, draw.Ink) // nothing is surrounded
}

func TestAreas(t *testing.T) {
	b, err := draw.PNG(10, 10, square)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	r, g, blue, _ := img.At(5, 5).RGBA()
	if c := draw.Palette[0]; uint8(r>>8) != c.R || uint8(g>>8) != c.G || uint8(blue>>8) != c.B {
		t.Errorf("within: %d %d %d", r>>8, g>>8, blue>>8)
	}
	if r, _, _, _ := img.At(0, 9).RGBA(); r>>8 != 255 {
		t.Errorf("without: %d", r>>8)
	}
	svg := string(draw.SVG(10, 10, "a <square>", square))
	if strings.Count(svg, "<polygon") != 1 || !strings.Contains(svg, "a &lt;square&gt;") {
		t.Error(svg)
	}
}

func TestCheck(t *testing.T) {
	if ending, err := draw.Check("a/b.PNG"); ending != ".png" || err != nil {
		t.Errorf("%s, %v", ending, err)
	}
	if _, err := draw.Check("a.gif"); err == nil {
		t.Error("a format that there is not")
	}
}
