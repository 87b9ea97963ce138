// Package page shows a report: as one HTML file that needs nothing else, as text, and as Markdown for the summary of a CI job.
//
// It owns words, layout, pictures and the script of the page. It must not know where a report's values come from.
//
// The page loads nothing: its policy forbids every connection, and its one script is named there by digest.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/ui"
)

//go:embed page.gohtml
var pageTemplate string

//go:embed page.css
var style string

//go:embed page.js
var script string

// MaxBytes is what a page may have.
const MaxBytes = 2_000_000

// limits are what is left out of a page that would be too large.
type limits struct {
	log  int // bytes of each serial log
	bars int // of the timeline, the longest first
}

// HTML makes the page. Of what would make it larger than MaxBytes the longest logs are cut, and then the shortest bars of the timeline left
// out; the page says so.
func HTML(r *report.Report) ([]byte, error) {
	tried := []limits{{128 << 10, 20_000}, {32 << 10, 10_000}, {8 << 10, 4_000}, {2 << 10, 1_500}, {0, 500}}
	for _, l := range tried {
		text, err := render(r, l)
		if err != nil {
			return nil, err
		}
		if len(text) <= MaxBytes {
			return text, nil
		}
	}
	return nil, fmt.Errorf("the page would have more than %d bytes: mage report -text tells the same", MaxBytes)
}

func render(r *report.Report, l limits) ([]byte, error) {
	t, err := template.New("page").Funcs(functions()).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, viewOf(r, l)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func functions() template.FuncMap {
	return template.FuncMap{
		"bytes":   ui.Bytes,
		"delta":   delta,
		"micros":  micros,
		"millis":  func(ms int64) string { return micros(ms * 1000) },
		"day":     day,
		"plural":  plural,
		"percent": func(part, whole int64) string { return fmt.Sprintf("%.1f", share(part, whole)) },
		"join":    strings.Join,
		"short":   short,
		"lines":   logLines,
		"sub":     func(a, b int64) int64 { return a - b },
	}
}

// policy is the page's Content-Security-Policy.
func policy() string {
	sum := sha256.Sum256([]byte(script))
	return "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// micros is a duration for people; of less than a second in milliseconds.
func micros(us int64) string {
	if us < 1_000_000 {
		return fmt.Sprintf("%d ms", us/1000)
	}
	return ui.Seconds(time.Duration(us) * time.Microsecond)
}

func day(t time.Time) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// delta is a difference of sizes for people.
func delta(n int64) string {
	switch {
	case n > 0:
		return "+" + ui.Bytes(n)
	case n < 0:
		return "−" + ui.Bytes(-n)
	}
	return "±0 B"
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	if strings.HasSuffix(one, "ch") || strings.HasSuffix(one, "s") {
		return fmt.Sprintf("%d %ses", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// share is part of whole in percent, 0 of nothing.
func share(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) * 100 / float64(whole)
}

func short(digest string) string {
	if len(digest) > 16 {
		return digest[:16]
	}
	return digest
}
