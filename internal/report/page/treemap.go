package page

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/ui"
)

// The treemaps are laid out for this many pixels; across they follow the screen.
const (
	mapWidth  = 1200.0
	mapHeight = 460.0
)

// cell is a part of a treemap. Its parts divide what its name leaves.
type cell struct {
	name   string
	note   string // beside the size in the tip
	size   int64
	colour int
	file   int // index into the image's files; -1 for none
	parts  []cell
}

// other is the colour of what has none of its own.
const other = 11

// byFile has a cell for each file, divided by crate where these are known.
func byFile(i *report.Image, colour map[string]int) []cell {
	var cells []cell
	of := crateColours(i)
	for n, f := range i.Files {
		c := fileCell(n, f, colour)
		for k, crate := range f.Crates {
			if k == mostCrates {
				break
			}
			c.parts = append(c.parts, cell{name: crate.Name, note: f.Path, size: crate.Size, colour: of[crate.Name], file: n})
		}
		if rest := f.Size - sum(c.parts); len(c.parts) > 0 && rest > 0 {
			c.parts = append(c.parts, cell{name: nameless, note: f.Path, size: rest, colour: other, file: n})
		}
		cells = append(cells, c)
	}
	return append(cells, overhead(i)...)
}

// mostCrates is how many crates of a file have cells of their own.
const mostCrates = 40

// nameless stands for bytes without a symbol: constants, tables, small crates.
const nameless = "constants and the rest"

func fileCell(n int, f report.File, colour map[string]int) cell {
	return cell{name: f.Path, note: strings.TrimSpace(f.Recipe + " " + f.Backend), size: f.Size, colour: colour[f.Recipe], file: n}
}

// overhead is what of an image is no file's.
func overhead(i *report.Image) []cell {
	if i.Overhead <= 0 {
		return nil
	}
	return []cell{{name: "(tables and padding)", note: "of the image itself", size: i.Overhead, colour: other, file: -1}}
}

// byRecipe has a cell for each recipe with its files in it.
func byRecipe(i *report.Image, colour map[string]int) []cell {
	index := map[string]int{}
	var cells []cell
	for n, f := range i.Files {
		k, ok := index[f.Recipe]
		if !ok {
			k = len(cells)
			index[f.Recipe] = k
			cells = append(cells, cell{name: f.Recipe, note: "recipe", colour: colour[f.Recipe], file: -1})
		}
		cells[k].size += f.Size
		cells[k].parts = append(cells[k].parts, fileCell(n, f, colour))
	}
	return append(cells, overhead(i)...)
}

// byCrate has a cell for each crate of the whole image.
func byCrate(i *report.Image) []cell {
	var cells []cell
	of := crateColours(i)
	for _, c := range i.Crates() {
		cells = append(cells, cell{name: cmp.Or(c.Name, nameless), note: "in all files", size: c.Size, colour: of[c.Name], file: -1})
	}
	return append(cells, overhead(i)...)
}

// crateColours are the colours of crates, in every picture the same.
func crateColours(i *report.Image) map[string]int {
	of, n := map[string]int{"": other}, 0
	for _, c := range i.Crates() {
		if c.Name != "" {
			of[c.Name] = n % other
			n++
		}
	}
	return of
}

func sum(cells []cell) int64 {
	var all int64
	for _, c := range cells {
		all += c.size
	}
	return all
}

// treemap draws cells, whose areas are as their sizes.
func treemap(label string, cells []cell) template.HTML {
	p := &picture{}
	p.add(`<svg class="treemap" height="%d" role="img" aria-label="%s">`, int(mapHeight), escape(label))
	whole := sum(cells)
	lay(p, cells, rect{0, 0, mapWidth, mapHeight}, whole, 0)
	p.add("</svg>")
	return p.html()
}

func lay(p *picture, cells []cell, in rect, whole int64, depth int) {
	slices.SortStableFunc(cells, func(a, b cell) int { return cmp.Compare(b.size, a.size) })
	sizes := make([]float64, len(cells))
	for i, c := range cells {
		sizes[i] = float64(c.size)
	}
	for i, r := range squarify(sizes, in) {
		if r.w < 0.6 || r.h < 0.6 {
			continue // nobody could see it
		}
		draw(p, cells[i], r, whole, depth)
	}
}

// heading is the room for a divided cell's name, in pixels.
const heading = 18

func draw(p *picture, c cell, r rect, whole int64, depth int) {
	class := "cell"
	if len(c.parts) > 0 {
		class = "cell group"
	} else if depth > 0 {
		class = "cell part"
	}
	p.add(`<svg class="%s c%d" data-name="%s" data-note="%s" data-size="%d" data-share="%.1f"`, class, c.colour, escape(c.name), escape(c.note), c.size, share(c.size, whole))
	if c.file >= 0 {
		p.add(` data-file="%d"`, c.file)
	}
	p.add(` x="%s" y="%.1f" width="%s" height="%.1f"><rect width="100%%" height="100%%"/>`, pct(r.x*100/mapWidth), r.y, pct(r.w*100/mapWidth), r.h)
	if r.w > 44 && r.h > 15 {
		p.add(`<text x="5" y="13">%s</text>`, escape(c.name))
		if len(c.parts) == 0 && r.h > 32 {
			p.add(`<text class="size" x="5" y="27">%s</text>`, ui.Bytes(c.size))
		}
	}
	p.add("</svg>")
	if len(c.parts) > 0 && r.h > heading+8 && r.w > 12 {
		lay(p, c.parts, rect{r.x + 2, r.y + heading, r.w - 4, r.h - heading - 2}, whole, depth+1)
	}
}
