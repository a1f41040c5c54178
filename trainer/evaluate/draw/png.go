package draw

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// pngCanvas draws pixels, lines with smooth edges.
type pngCanvas struct{ img *image.RGBA }

// PNG returns an image of width w and height h.
func PNG(w, h float64, paint func(Canvas)) ([]byte, error) {
	c := &pngCanvas{image.NewRGBA(image.Rect(0, 0, int(w), int(h)))}
	draw.Draw(c.img, c.img.Bounds(), image.White, image.Point{}, draw.Src)
	paint(c)
	var b bytes.Buffer
	err := png.Encode(&b, c.img)
	return b.Bytes(), err
}

func (c *pngCanvas) Path(points [][2]float64, ink color.RGBA, width float64, dashed bool) {
	if len(points) == 1 {
		p := points[0]
		points = [][2]float64{{p[0] - 2, p[1]}, {p[0] + 2, p[1]}}
	}
	pen := vector.NewRasterizer(c.img.Bounds().Dx(), c.img.Bounds().Dy())
	gone := 0.0 // along the path, for dashes
	for i := 1; i < len(points); i++ {
		a, b := points[i-1], points[i]
		length := math.Hypot(b[0]-a[0], b[1]-a[1])
		for at := 0.0; at < length; {
			step := length - at
			on := true
			if dashed {
				phase := math.Mod(gone, 10)
				on = phase < 6
				step = min(step, map[bool]float64{true: 6, false: 10}[on]-phase+1e-6)
			}
			if on {
				stroke(pen, along(a, b, at/length), along(a, b, (at+step)/length), width/2)
			}
			at += step
			gone += step
		}
	}
	pen.Draw(c.img, c.img.Bounds(), image.NewUniform(ink), image.Point{})
}

func (c *pngCanvas) Area(points [][2]float64, ink color.RGBA) {
	if len(points) < 3 {
		return
	}
	pen := vector.NewRasterizer(c.img.Bounds().Dx(), c.img.Bounds().Dy())
	pen.MoveTo(float32(points[0][0]), float32(points[0][1]))
	for _, p := range points[1:] {
		pen.LineTo(float32(p[0]), float32(p[1]))
	}
	pen.ClosePath()
	pen.Draw(c.img, c.img.Bounds(), image.NewUniform(ink), image.Point{})
}

func along(a, b [2]float64, t float64) [2]float64 {
	return [2]float64{a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t}
}

// stroke adds the rectangle around a piece of a line.
func stroke(pen *vector.Rasterizer, a, b [2]float64, half float64) {
	dx, dy := b[0]-a[0], b[1]-a[1]
	length := math.Hypot(dx, dy)
	if length == 0 {
		return
	}
	nx, ny := -dy/length*half, dx/length*half
	ex, ey := dx/length*half/2, dy/length*half/2 // a little longer, so that pieces meet
	at := func(x, y float64) (float32, float32) { return float32(x), float32(y) }
	pen.MoveTo(at(a[0]-ex+nx, a[1]-ey+ny))
	pen.LineTo(at(b[0]+ex+nx, b[1]+ey+ny))
	pen.LineTo(at(b[0]+ex-nx, b[1]+ey-ny))
	pen.LineTo(at(a[0]-ex-nx, a[1]-ey-ny))
	pen.ClosePath()
}

func (c *pngCanvas) Text(x, y float64, anchor, s string) {
	d := font.Drawer{Dst: c.img, Src: image.NewUniform(Ink), Face: basicfont.Face7x13}
	width := float64(d.MeasureString(s)) / 64
	switch anchor {
	case "middle":
		x -= width / 2
	case "end":
		x -= width
	}
	d.Dot = fixed.P(int(math.Round(x)), int(math.Round(y)))
	d.DrawString(s)
}
