package page

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"time"

	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/ui"
)

// Measures of the timeline, in pixels.
const (
	laneHeight = 30
	thinHeight = 11 // of a lane in which next to nothing ran
	laneGap    = 6
	thinGap    = 3
	axisHeight = 26
	// labelled is how many percent of the time a step has to take for its name to be in its bar; what does not fit is cut off.
	labelled = 1.2
)

// lane is the row of a worker.
type lane struct {
	Name string
	Thin bool
	top  int // pixels
}

// height is that of the lane's bars.
func (l lane) height() int {
	if l.Thin {
		return thinHeight - thinGap
	}
	return laneHeight - laneGap
}

// lanesOf are the rows of the workers from the top. Steps that wait for disks run beside those that compile, many at once and for a moment:
// lanes that have no others are thin.
func lanesOf(b *report.Build) (lanes []lane, height int) {
	busy := make([]int64, b.Workers)
	for _, one := range b.Bars {
		busy[one.Worker] += one.Micros
	}
	height = axisHeight
	for w := range b.Workers {
		l := lane{Name: fmt.Sprint(w + 1), Thin: share(busy[w], b.Micros) < 1, top: height}
		lanes = append(lanes, l)
		if height += laneHeight; l.Thin {
			height += thinHeight - laneHeight
		}
	}
	return lanes, max(height, axisHeight+laneHeight)
}

// timeline draws the build: time to the right, a lane for each worker.
func timeline(b *report.Build, colour map[string]int, most int) template.HTML {
	p := &picture{}
	lanes, height := lanesOf(b)
	whole := max(1, b.Micros)
	p.add(`<svg class="timeline" height="%d" role="img" aria-label="timeline of the build by worker">`, height)
	axis(p, whole, height)
	for _, i := range shownBars(b.Bars, most) {
		bar(p, b, i, whole, colour, lanes)
	}
	criticalLine(p, b, whole, lanes)
	p.add("</svg>")
	return p.html()
}

// shownBars are the indices of the longest bars, in the order of time.
func shownBars(bars []report.Bar, most int) []int {
	all := make([]int, len(bars))
	for i := range bars {
		all[i] = i
	}
	if len(all) > most {
		slices.SortStableFunc(all, func(a, b int) int { return cmp.Compare(bars[b].Micros, bars[a].Micros) })
		all = all[:most]
		slices.Sort(all)
	}
	return all
}

func axis(p *picture, whole int64, height int) {
	step := niceStep(whole)
	for at := int64(0); at <= whole; at += step {
		x := share(at, whole)
		p.add(`<line class="grid" x1="%s" y1="%d" x2="%s" y2="%d"/>`, pct(x), axisHeight-6, pct(x), height)
		anchor, dx := "middle", 0
		if at == 0 {
			anchor = "start"
		} else if x > 97 {
			anchor, dx = "end", -2
		}
		p.add(`<text class="tick" x="%s" dx="%d" y="14" text-anchor="%s">%s</text>`, pct(x), dx, anchor, tick(at, step))
	}
}

// tick is the text at a time of the axis.
func tick(at, step int64) string {
	switch {
	case at == 0:
		return "0"
	case step < 1_000_000:
		return fmt.Sprintf("%d ms", at/1000)
	}
	return ui.Seconds(time.Duration(at) * time.Microsecond)
}

// niceStep is a round time of which six to twelve make the whole, as far as round times go; all in microseconds.
func niceStep(whole int64) int64 {
	const second = 1_000_000
	for _, step := range []int64{
		1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, second, 2 * second, 5 * second, 10 * second, 20 * second, 30 * second,
		60 * second, 120 * second, 300 * second, 600 * second, 1200 * second, 1800 * second, 3600 * second, 7200 * second,
	} {
		if whole/step <= 10 {
			return step
		}
	}
	return whole / 8
}

func bar(p *picture, b *report.Build, i int, whole int64, colour map[string]int, lanes []lane) {
	one := b.Bars[i]
	step := b.Steps[one.Step]
	class := fmt.Sprintf("bar c%d", colour[step.Recipe])
	switch one.Outcome {
	case graph.Failed.String():
		class = "bar failed"
	case graph.Fetched.String():
		class += " fetched"
	case graph.Skipped.String():
		class += " stopped"
	}
	if step.Critical && one.Micros > 0 {
		class += " critical"
	}
	l := lanes[one.Worker]
	p.add(`<svg class="%s" data-step="%d" data-bar="%d" x="%s" y="%d" width="%s" height="%d"><rect width="100%%" height="100%%" rx="3"/>`,
		class, one.Step, i, pct(share(one.Start, whole)), l.top, pct(max(0.02, share(one.Micros, whole))), l.height())
	if share(one.Micros, whole) >= labelled && !l.Thin {
		p.add(`<text x="7" y="16">%s</text>`, escape(step.ID+"  "+micros(one.Micros)))
	}
	p.add("</svg>")
}

// criticalLine connects the bars of the critical path, each end with the next beginning.
func criticalLine(p *picture, b *report.Build, whole int64, lanes []lane) {
	middle := func(one *report.Bar) int { l := lanes[one.Worker]; return l.top + l.height()/2 }
	var before *report.Bar
	for i := range b.Bars {
		one := &b.Bars[i]
		if !b.Steps[one.Step].Critical || one.Micros == 0 {
			continue
		}
		if before != nil && before.Worker != one.Worker {
			p.add(`<line class="chain" x1="%s" y1="%d" x2="%s" y2="%d"/>`, pct(share(before.Start+before.Micros, whole)), middle(before),
				pct(share(one.Start, whole)), middle(one))
		}
		before = one
	}
}
