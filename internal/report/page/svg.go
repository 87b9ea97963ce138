package page

import (
	"encoding/xml"
	"fmt"
	"html/template"
	"strings"
)

// picture is an SVG being written. Places across are percents of the width, so that a picture fits every screen and can be made wider without
// its text; places down are pixels.
type picture struct{ b strings.Builder }

func (p *picture) add(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

func (p *picture) html() template.HTML { return template.HTML(p.b.String()) }

// escape makes a text safe between tags and in quoted attributes.
func escape(s string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// pct is a percent with as many digits as matter.
func pct(f float64) string {
	s := strings.TrimRight(fmt.Sprintf("%.3f", f), "0")
	return strings.TrimSuffix(s, ".") + "%"
}
