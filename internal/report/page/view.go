package page

import (
	"cmp"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/ui"
)

// view is what the template shows.
type view struct {
	R      *report.Report
	Policy string
	Style  template.CSS
	Script template.JS
	Title  string
	Tiles  []tile

	Timeline template.HTML
	Lanes    []lane
	Left     int // bars of the timeline that are left out
	Legend   []legend
	Recipes  []*recipeNode
	Graph    template.HTML
	Maps     []treemapView
	Files    []fileRow
	Backends []backend
	Data     data
	log      int
}

// tile is one number of the head.
type tile struct {
	Label, Value, Note string
	Mood               string // "good", "bad", "" for neither
	Href               string
	Key                string // for tests
	Number             int64
}

type legend struct {
	Name   string
	Colour int
}

type treemapView struct {
	ID, Label string
	Picture   template.HTML
}

type fileRow struct {
	report.File
	Colour int
	Share  float64
	Index  int
	Change string // against the other image
}

type backend struct {
	Name  string
	Bytes int64
	Share float64
}

// data is what the script has.
type data struct {
	Outcomes []string `json:"outcomes"`
	Reasons  []string `json:"reasons"`
	// Steps are [id, outcome, reason, µs, last µs, critical, log, tail, indices of needs], outcome and reason by index, log and tail "" for none.
	Steps [][]any `json:"steps"`
	// Bars are [step, start µs, µs, worker, reason].
	Bars  [][]any `json:"bars"`
	Files [][]any `json:"files"` // [path, size, recipe, backend, [[crate, size]…], sha256]
	Whole int64   `json:"whole"` // µs of the build
	Image int64   `json:"image"` // bytes
}

func viewOf(r *report.Report, l limits) *view {
	v := &view{R: r, Policy: policy(), Style: template.CSS(style), Script: template.JS(script), Title: title(r), log: l.log}
	colour := colours(r)
	v.Tiles = tiles(r)
	if b := r.Build; b != nil {
		v.Timeline = timeline(b, colour, l.bars)
		v.Left = max(0, len(b.Bars)-l.bars)
		v.Lanes, _ = lanesOf(b)
		v.Recipes = recipesOf(b, colour)
		v.Graph = recipeGraph(v.Recipes)
		v.addSteps(b)
	}
	if i := r.Image; i != nil {
		v.addImage(i, colour)
	}
	v.Legend = legendOf(colour)
	return v
}

func title(r *report.Report) string {
	switch {
	case r.Image != nil:
		return r.Image.Recipe
	case r.Build != nil && len(r.Build.Roots) > 0:
		return r.Build.Roots[0]
	}
	return "redox-clif"
}

// colours gives the recipes that took or weigh most colours of their own.
func colours(r *report.Report) map[string]int {
	weight := map[string]float64{}
	if b := r.Build; b != nil {
		for _, s := range b.Steps {
			weight[s.Recipe] += share(s.Micros, b.WorkMicros) + 1e-6
		}
	}
	if i := r.Image; i != nil {
		for _, f := range i.Files {
			weight[f.Recipe] += share(f.Size, i.Size)
		}
	}
	names := slices.SortedFunc(maps.Keys(weight), func(a, b string) int {
		return cmp.Or(cmp.Compare(weight[b], weight[a]), strings.Compare(a, b))
	})
	colour := map[string]int{}
	for n, name := range names {
		colour[name] = min(n, other)
	}
	return colour
}

func legendOf(colour map[string]int) []legend {
	var all []legend
	for name, c := range colour {
		if c < other {
			all = append(all, legend{name, c})
		}
	}
	slices.SortFunc(all, func(a, b legend) int { return a.Colour - b.Colour })
	if len(colour) > len(all) {
		all = append(all, legend{"others", other})
	}
	return all
}

func tiles(r *report.Report) []tile {
	var all []tile
	if b := r.Build; b != nil {
		note := fmt.Sprintf("%d ran, %d up to date", b.Counts.Ran, b.Counts.UpToDate)
		if b.Counts.Fetched > 0 {
			note += fmt.Sprintf(", %d fetched", b.Counts.Fetched)
		}
		t := tile{Label: "Build", Value: micros(b.Micros), Note: note, Mood: "good", Href: "#timeline", Key: "steps", Number: int64(len(b.Steps))}
		if b.Failed != "" {
			t.Mood, t.Value, t.Note = "bad", "failed", plural(b.Counts.Failed, "step")+" failed, "+note
		}
		all = append(all, t)
	}
	if i := r.Image; i != nil {
		note := plural(len(i.Files), "file")
		if c := r.Change; c != nil {
			note = delta(c.SizeAfter-c.SizeBefore) + " against " + c.Against
		}
		all = append(all, tile{"Image", ui.Bytes(i.Size), note, "", "#sizes", "image", i.Size})
		if i.Purity.Compiled > 0 {
			all = append(all, tile{"By Cranelift", fmt.Sprintf("%.1f %%", i.Purity.Percent), ui.Bytes(i.Purity.Cranelift) + " of " + ui.Bytes(i.Purity.Compiled),
				"", "#purity", "cranelift", i.Purity.Cranelift})
		}
	}
	if len(r.Tests) > 0 {
		passed, failed, skipped := r.State()
		t := tile{Label: "Tests", Value: fmt.Sprintf("%d passed", passed), Note: "in " + plural(len(r.Tests), "run"), Mood: "good", Href: "#tests", Key: "passed", Number: int64(passed)}
		if skipped > 0 {
			t.Note += fmt.Sprintf(", %d skipped", skipped)
		}
		if failed > 0 {
			t.Mood, t.Value = "bad", fmt.Sprintf("%d failed", failed)
			t.Note = fmt.Sprintf("%d passed, ", passed) + t.Note
		}
		all = append(all, t)
	}
	if d := r.Drift; d != nil {
		t := tile{Label: "Drift", Value: "none", Note: "looked " + day(d.When), Mood: "good", Href: "#drift", Key: "drift", Number: int64(len(d.Findings))}
		if n := len(d.Findings); n > 0 {
			t.Mood, t.Value = "bad", plural(n, "finding")
		}
		if n := len(d.Unchecked); n > 0 {
			t.Note = fmt.Sprintf("%d not compared", n)
		}
		all = append(all, t)
	}
	if len(r.Patches) > 0 {
		n := 0
		for _, s := range r.Patches {
			n += len(s.Patches)
		}
		all = append(all, tile{"Patches", fmt.Sprint(n), "in " + plural(len(r.Patches), "series"), "", "#patches", "patches", int64(n)})
	}
	if c := r.Cache; c != nil {
		t := tile{Label: "Cache", Value: ui.Bytes(c.Size), Note: "of results and downloads", Href: "#cache", Key: "cache", Number: c.Size}
		if r.Build != nil {
			t.Note = fmt.Sprintf("%d %% of the steps need not run", c.HitPercent)
		}
		all = append(all, t)
	}
	return all
}

func (v *view) addSteps(b *report.Build) {
	d := &v.Data
	d.Whole = b.Micros
	outcome, reason := indexer(&d.Outcomes), indexer(&d.Reasons)
	index := map[string]int{}
	for i, s := range b.Steps {
		index[s.ID] = i
	}
	for _, s := range b.Steps {
		needs := []int{}
		for _, id := range s.Needs {
			if i, ok := index[id]; ok {
				needs = append(needs, i)
			}
		}
		critical := 0
		if s.Critical {
			critical = 1
		}
		d.Steps = append(d.Steps, []any{s.ID, outcome(s.Outcome), reason(s.Reason), s.Micros, s.LastMicros, critical, s.Log, s.Tail, needs})
	}
	for _, one := range b.Bars {
		d.Bars = append(d.Bars, []any{one.Step, one.Start, one.Micros, one.Worker, reason(one.Reason)})
	}
}

// indexer gives every text the place where it stands in a list, once.
func indexer(list *[]string) func(string) int {
	at := map[string]int{}
	return func(text string) int {
		i, ok := at[text]
		if !ok {
			i = len(*list)
			at[text] = i
			*list = append(*list, text)
		}
		return i
	}
}

func (v *view) addImage(i *report.Image, colour map[string]int) {
	v.Data.Image = i.Size
	v.Maps = []treemapView{
		{"recipe", "by recipe", treemap("the image by recipe and file", byRecipe(i, colour))},
		{"file", "by file", treemap("the image by file and crate", byFile(i, colour))},
		{"crate", "by crate", treemap("the image by crate", byCrate(i))},
	}
	if recipesIn(i) < 3 { // one big rectangle tells nothing
		v.Maps[0], v.Maps[1] = v.Maps[1], v.Maps[0]
	}
	changes := map[string]string{}
	if v.R.Change != nil {
		for _, c := range v.R.Change.Files {
			changes[c.Path] = delta(c.After - c.Before)
			if c.Kind == "new" {
				changes[c.Path] = "new"
			}
		}
	}
	backends := map[string]int64{}
	for n, f := range i.Files {
		v.Files = append(v.Files, fileRow{f, colour[f.Recipe], share(f.Size, i.Size), n, changes[f.Path]})
		backends[cmp.Or(f.Backend, "no compiler")] += f.Size
		crates := [][]any{}
		for k, c := range f.Crates {
			if k == mostCrates {
				break
			}
			crates = append(crates, []any{c.Name, c.Size})
		}
		v.Data.Files = append(v.Data.Files, []any{f.Path, f.Size, f.Recipe, f.Backend, crates, f.SHA256})
	}
	slices.SortStableFunc(v.Files, func(a, b fileRow) int { return cmp.Compare(b.Size, a.Size) })
	whole := i.FileBytes + i.BootstrapSize
	for _, name := range slices.Sorted(maps.Keys(backends)) {
		v.Backends = append(v.Backends, backend{name, backends[name], share(backends[name], whole)})
	}
}

func recipesIn(i *report.Image) int {
	names := map[string]bool{}
	for _, f := range i.Files {
		names[f.Recipe] = true
	}
	return len(names)
}

// Log is a serial log as far as it is shown.
func (v *view) Log(l report.Log) string {
	if len(l.Text) <= v.log {
		return l.Text
	}
	if v.log == 0 {
		return ""
	}
	end := l.Text[len(l.Text)-v.log:]
	if _, rest, ok := strings.Cut(end, "\n"); ok {
		end = rest
	}
	return "… the beginning is left out here: " + l.File + " has it\n" + end
}

// logLine is a line of a log, marked where it tells of a fault.
type logLine struct {
	Text string
	Mood string
}

// logLines joins neighbouring lines of one mood, so that a log is few elements.
func logLines(text string) []logLine {
	var all []logLine
	for line := range strings.Lines(text) {
		mood := moodOf(line)
		if n := len(all); n > 0 && all[n-1].Mood == mood {
			all[n-1].Text += line
		} else {
			all = append(all, logLine{line, mood})
		}
	}
	return all
}

func moodOf(line string) string {
	for _, bad := range []string{"panicked at", "PANIC", "FATAL", "UNHANDLED EXCEPTION", ":ERROR", "ERROR ", "FAIL", "error:"} {
		if strings.Contains(line, bad) {
			return "bad"
		}
	}
	if strings.Contains(line, "WARN") {
		return "warn"
	}
	return ""
}
