package page

import (
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/report"
)

// recipeNode is a recipe with its steps, in the picture of how recipes need each other.
type recipeNode struct {
	Name   string
	Steps  int
	Ran    int
	Failed int
	Micros int64
	Colour int
	// Critical says that a step of it is on the critical path.
	Critical bool

	needs []int // indices of other recipes
	layer int
	row   int
}

// State is how the recipe's steps ended: "failed", "ran" or "up to date".
func (n *recipeNode) State() string {
	switch {
	case n.Failed > 0:
		return "failed"
	case n.Ran > 0:
		return "ran"
	}
	return "uptodate"
}

// recipesOf folds the graph of steps to one of recipes.
func recipesOf(b *report.Build, colour map[string]int) []*recipeNode {
	index, nodes := map[string]int{}, []*recipeNode{}
	of := func(name string) int {
		i, ok := index[name]
		if !ok {
			i = len(nodes)
			index[name] = i
			nodes = append(nodes, &recipeNode{Name: name, Colour: colour[name]})
		}
		return i
	}
	recipe := map[string]int{} // of a step
	for _, s := range b.Steps {
		recipe[s.ID] = of(s.Recipe)
	}
	needs := make([]map[int]bool, len(nodes))
	for _, s := range b.Steps {
		i := recipe[s.ID]
		n := nodes[i]
		n.Steps++
		n.Micros += s.Micros
		n.Critical = n.Critical || s.Critical
		switch s.Outcome {
		case graph.Ran.String():
			n.Ran++
		case graph.Failed.String():
			n.Failed++
		}
		for _, id := range s.Needs {
			if j, ok := recipe[id]; ok && j != i {
				if needs[i] == nil {
					needs[i] = map[int]bool{}
				}
				needs[i][j] = true
			}
		}
	}
	for i := range nodes {
		nodes[i].needs = slices.Sorted(maps.Keys(needs[i]))
	}
	withoutCycles(nodes)
	withoutDetours(nodes)
	return nodes
}

// withoutCycles drops the edges that lead back: two recipes may use steps of each other, although no two steps do.
func withoutCycles(nodes []*recipeNode) {
	state := make([]int, len(nodes)) // 1 on the way, 2 done
	var visit func(int)
	visit = func(i int) {
		state[i] = 1
		nodes[i].needs = slices.DeleteFunc(nodes[i].needs, func(j int) bool { return state[j] == 1 })
		for _, j := range slices.Clone(nodes[i].needs) {
			if state[j] == 0 {
				visit(j)
			}
		}
		state[i] = 2
	}
	for i := range nodes {
		if state[i] == 0 {
			visit(i)
		}
	}
}

// withoutDetours drops an edge where a longer way says the same.
func withoutDetours(nodes []*recipeNode) {
	below := make([]map[int]bool, len(nodes)) // with itself
	var reach func(int) map[int]bool
	reach = func(i int) map[int]bool {
		if below[i] == nil {
			below[i] = map[int]bool{i: true}
			for _, j := range nodes[i].needs {
				maps.Copy(below[i], reach(j))
			}
		}
		return below[i]
	}
	for _, n := range nodes {
		all := slices.Clone(n.needs)
		n.needs = slices.DeleteFunc(n.needs, func(j int) bool {
			return slices.ContainsFunc(all, func(k int) bool { return k != j && reach(k)[j] })
		})
	}
}

// Measures of the graph, in pixels.
const (
	nodeWidth, nodeHeight = 158, 44
	layerGap, rowGap      = 62, 14
	graphEdge             = 8
)

// spot is a place in a layer: a recipe's, or one where an edge passes by.
type spot struct {
	node       *recipeNode // nil where an edge passes
	layer, row int
	left       []*spot // what it needs
	right      []*spot
	at         float64 // while the order is being found
}

func (s *spot) y() int { return graphEdge + s.row*(nodeHeight+rowGap) }
func (s *spot) x() int { return graphEdge + s.layer*(nodeWidth+layerGap) }

// recipeGraph draws recipes from left to right, each behind what it needs.
func recipeGraph(nodes []*recipeNode) template.HTML {
	layers := spots(nodes)
	arrange(layers)
	width, height := 0, 0
	for _, layer := range layers {
		for _, s := range layer {
			width, height = max(width, s.x()+nodeWidth+graphEdge), max(height, s.y()+nodeHeight+graphEdge)
		}
	}
	p := &picture{}
	p.add(`<svg class="graph" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="which recipe needs which">`, width, height, width, height)
	for _, layer := range layers {
		for _, s := range layer {
			if s.node != nil {
				edges(p, s)
			}
		}
	}
	for _, layer := range layers {
		for _, s := range layer {
			if s.node != nil {
				box(p, s)
			}
		}
	}
	p.add("</svg>")
	return p.html()
}

// spots puts recipes into layers, each to the right of all that it needs, with a spot in every layer that an edge crosses.
func spots(nodes []*recipeNode) [][]*spot {
	layer := make([]int, len(nodes))
	done := make([]bool, len(nodes))
	var depth func(int) int
	depth = func(i int) int {
		if !done[i] {
			done[i] = true
			for _, j := range nodes[i].needs {
				layer[i] = max(layer[i], depth(j)+1)
			}
		}
		return layer[i]
	}
	own, layers := make([]*spot, len(nodes)), [][]*spot{}
	put := func(s *spot) *spot {
		for len(layers) <= s.layer {
			layers = append(layers, nil)
		}
		layers[s.layer] = append(layers[s.layer], s)
		return s
	}
	for i, n := range nodes {
		own[i] = put(&spot{node: n, layer: depth(i)})
	}
	for i, n := range nodes {
		for _, j := range n.needs {
			at := own[j]
			for l := own[j].layer + 1; l < own[i].layer; l++ {
				at = join(at, put(&spot{layer: l}))
			}
			join(at, own[i])
		}
	}
	return layers
}

func join(left, right *spot) *spot {
	left.right, right.left = append(left.right, right), append(right.left, left)
	return right
}

// sweeps is how often the order of each layer is drawn to its neighbours.
const sweeps = 8

// arrange orders every layer by where its neighbours are, so that few edges cross, and gives each spot its row.
func arrange(layers [][]*spot) {
	for sweep := range sweeps {
		for k := range layers {
			layer := layers[k]
			beside := func(s *spot) []*spot { return s.left }
			if sweep%2 == 1 {
				layer = layers[len(layers)-1-k]
				beside = func(s *spot) []*spot { return s.right }
			}
			for i, s := range layer {
				s.at = float64(i)
				if next := beside(s); len(next) > 0 {
					s.at = 0
					for _, n := range next {
						s.at += float64(n.row)
					}
					s.at /= float64(len(next))
				}
			}
			slices.SortStableFunc(layer, func(a, b *spot) int {
				switch {
				case a.at < b.at:
					return -1
				case a.at > b.at:
					return 1
				}
				return strings.Compare(nameOf(a), nameOf(b))
			})
			for i, s := range layer {
				s.row = i
			}
		}
	}
	centre(layers)
}

// centre moves short layers down, so that the graph is around a line.
func centre(layers [][]*spot) {
	most := 0
	for _, layer := range layers {
		most = max(most, len(layer))
	}
	for _, layer := range layers {
		for _, s := range layer {
			s.row += (most - len(layer)) / 2
		}
	}
}

func nameOf(s *spot) string {
	if s.node == nil {
		return ""
	}
	return s.node.Name
}

// edges draws what leads from a recipe to those that need it.
func edges(p *picture, from *spot) {
	for _, next := range from.right {
		x, y := from.x()+nodeWidth, from.y()+nodeHeight/2
		path := fmt.Sprintf("M%d %d", x, y)
		to := next
		for {
			path += curve(x, y, to.x(), to.y()+nodeHeight/2)
			if to.node != nil {
				break
			}
			x, y = to.x()+nodeWidth, to.y()+nodeHeight/2
			path += fmt.Sprintf("L%d %d", x, y)
			to = to.right[0]
		}
		class := "edge"
		if from.node.Critical && to.node.Critical {
			class = "edge critical"
		}
		p.add(`<path class="%s" data-from="%s" data-to="%s" d="%s"/>`, class, escape(from.node.Name), escape(to.node.Name), path)
	}
}

func curve(x1, y1, x2, y2 int) string {
	middle := (x1 + x2) / 2
	return fmt.Sprintf("C%d %d %d %d %d %d", middle, y1, middle, y2, x2, y2)
}

func box(p *picture, s *spot) {
	n := s.node
	class := "node " + n.State()
	if n.Critical {
		class += " critical"
	}
	note := plural(n.Steps, "step")
	if n.Micros > 0 {
		note += " · " + micros(n.Micros)
	} else {
		note += " · up to date"
	}
	p.add(`<g class="%s" data-recipe="%s" tabindex="-1"><title>%s: %s</title>`, class, escape(n.Name), escape(n.Name), escape(note))
	p.add(`<rect x="%d" y="%d" width="%d" height="%d" rx="8"/>`, s.x(), s.y(), nodeWidth, nodeHeight)
	p.add(`<rect class="mark c%d" x="%d" y="%d" width="5" height="%d" rx="2.5"/>`, n.Colour, s.x()+6, s.y()+8, nodeHeight-16)
	p.add(`<text class="name" x="%d" y="%d">%s</text>`, s.x()+19, s.y()+19, escape(clip(n.Name, 19)))
	p.add(`<text class="note" x="%d" y="%d">%s</text></g>`, s.x()+19, s.y()+34, escape(note))
}

func clip(s string, most int) string {
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
