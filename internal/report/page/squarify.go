package page

import "slices"

// rect is a rectangle; what its units are is the caller's business.
type rect struct{ x, y, w, h float64 }

// squarify divides a rectangle into parts whose areas are as the sizes, each as near to a square as it goes. The sizes have to come largest
// first; the parts come in the same order. Source: Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000).
func squarify(sizes []float64, in rect) []rect {
	var sum float64
	for _, s := range sizes {
		sum += s
	}
	parts := make([]rect, 0, len(sizes))
	if sum <= 0 || in.w <= 0 || in.h <= 0 {
		return append(parts, make([]rect, len(sizes))...)
	}
	areas := make([]float64, len(sizes))
	for i, s := range sizes {
		areas[i] = s / sum * in.w * in.h
	}
	for len(areas) > 0 {
		side := min(in.w, in.h)
		n := 1
		for n < len(areas) && worst(areas[:n+1], side) <= worst(areas[:n], side) {
			n++
		}
		row, rest := layRow(areas[:n], in)
		parts, in, areas = append(parts, row...), rest, areas[n:]
	}
	return parts
}

// worst is the ratio of sides of the part of a row that is farthest from a square.
func worst(row []float64, side float64) float64 {
	var sum float64
	for _, a := range row {
		sum += a
	}
	largest, smallest := slices.Max(row), slices.Min(row)
	if smallest <= 0 || sum <= 0 || side <= 0 {
		return 1e18
	}
	return max(side*side*largest/(sum*sum), sum*sum/(side*side*smallest))
}

// layRow puts a row along the shorter side and returns what of the rectangle is left.
func layRow(row []float64, in rect) (parts []rect, rest rect) {
	var sum float64
	for _, a := range row {
		sum += a
	}
	if in.w >= in.h {
		width := sum / in.h
		y := in.y
		for _, a := range row {
			h := 0.0
			if width > 0 {
				h = a / width
			}
			parts = append(parts, rect{in.x, y, width, h})
			y += h
		}
		return parts, rect{in.x + width, in.y, max(0, in.w-width), in.h}
	}
	height := sum / in.w
	x := in.x
	for _, a := range row {
		w := 0.0
		if height > 0 {
			w = a / height
		}
		parts = append(parts, rect{x, in.y, w, height})
		x += w
	}
	return parts, rect{in.x, in.y + height, in.w, max(0, in.h-height)}
}
