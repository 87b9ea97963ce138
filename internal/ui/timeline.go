package ui

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/pannous/redox-clif/internal/trace"
)

// Measures of the picture, in pixels.
const (
	timelineWidth = 960
	laneHeight    = 26
	timelineTop   = 34
	timelineEdge  = 12
	ticks         = 8
	// letter is about the width of a character: a name that does not fit into its bar is left out.
	letter = 6.5
)

// barColours by how a step ended.
var barColours = map[string]string{"ran": "#6aa7d8", "failed": "#d9534f", "skipped": "#c8c8c8"}

// WriteTimeline draws a trace, as package trace writes it, as an SVG picture: time to the right, a
// lane for each step that ran beside others.
func WriteTimeline(w io.Writer, text []byte) error {
	var file trace.File
	if err := json.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("the trace of the last build: %w", err)
	}
	spans := file.Events
	sort.Slice(spans, func(i, j int) bool { return spans[i].Ts < spans[j].Ts })
	end, lanes := int64(1), 0
	for _, s := range spans {
		end, lanes = max(end, s.Ts+s.Dur), max(lanes, s.Tid+1)
	}
	scale := float64(timelineWidth-2*timelineEdge) / float64(end)
	height := timelineTop + lanes*laneHeight + timelineEdge
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", timelineWidth, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	for i := range ticks + 1 {
		at := end * int64(i) / ticks
		x := timelineEdge + float64(at)*scale
		fmt.Fprintf(&b, `<line x1="%.1f" y1="22" x2="%.1f" y2="%d" stroke="#dddddd"/>`+"\n", x, x, height-timelineEdge)
		fmt.Fprintf(&b, `<text x="%.1f" y="16" text-anchor="%s" fill="#555555">%s</text>`+"\n", x, anchor(i), mark(at, end))
	}
	for _, s := range spans {
		writeBar(&b, s, scale)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// mark is the text at a time of the axis, in microseconds; that of a short build would be 0.0s, 0.0s, 0.1s.
func mark(at, end int64) string {
	if end < (2 * time.Second).Microseconds() {
		return fmt.Sprintf("%dms", at/1000)
	}
	return Seconds(time.Duration(at) * time.Microsecond)
}

// anchor keeps the first and the last mark inside the picture.
func anchor(tick int) string {
	switch tick {
	case 0:
		return "start"
	case ticks:
		return "end"
	}
	return "middle"
}

func writeBar(b *strings.Builder, s trace.Event, scale float64) {
	x, width := timelineEdge+float64(s.Ts)*scale, max(1.5, float64(s.Dur)*scale)
	y := timelineTop + s.Tid*laneHeight
	colour := barColours[s.Args["outcome"]]
	if colour == "" {
		colour = barColours["ran"]
	}
	took := Seconds(time.Duration(s.Dur) * time.Microsecond)
	fmt.Fprintf(b, `<g><title>%s</title><rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s"/>`,
		escape(s.Name+": "+took+", "+s.Args["reason"]), x, y, width, laneHeight-4, colour)
	if label := s.Name + " " + took; float64(len(label))*letter < width {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" fill="#ffffff">%s</text>`, x+4, y+15, escape(label))
	}
	b.WriteString("</g>\n")
}

func escape(s string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
