package rustbuild

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// Progress follows the output of x.py and estimates what is left, by a Profile of an earlier build.
type Progress struct {
	profile Profile
	now     func() time.Time
	start   time.Time

	phase   string
	crate   string
	count   int // crates that were compiled in this run
	objects int // of LLVM, as Ninja counts what this run had to do

	position, first float64 // seconds of the profile: here, and where this run began
	seen            bool    // a mark of the profile has been seen
	at              time.Time
	passed          []passed // the marks of the profile that were seen
	marks           map[string]int
}

// passed says when this run was where in the profile.
type passed struct {
	position float64
	at       time.Time
}

// NewProgress begins now.
func NewProgress(profile Profile, now func() time.Time) *Progress {
	return &Progress{profile: profile, now: now, start: now(), at: now(), marks: map[string]int{}}
}

var (
	// "Building stage1 compiler artifacts (stage0 -> stage1, x86_64-unknown-linux-gnu)"
	phaseLine = regexp.MustCompile(`^Building (?:stage\d+ )?(bootstrap|LLVM|LLD|compiler|codegen backend|library)\b`)
	crateLine = regexp.MustCompile(`^\s*Compiling ([^ ]+) v`)
	// "[17/2811] Building CXX object lib/...": Ninja's
	objectLine = regexp.MustCompile(`^\[(\d+)/(\d+)\] `)
)

// phases are the words of x.py and ours.
var phases = map[string]string{"bootstrap": "bootstrap", "LLVM": "LLVM", "LLD": "LLD", "compiler": "compiler", "codegen backend": "backend", "library": "library"}

// Line takes a line of output and tells whether it said something about the progress.
func (p *Progress) Line(line string) bool {
	if m := phaseLine.FindStringSubmatch(line); m != nil {
		p.phase, p.crate = phases[m[1]], ""
		return true
	}
	if m := objectLine.FindStringSubmatch(line); m != nil && p.phase != "" {
		p.object(m[1], m[2])
		return true
	}
	m := crateLine.FindStringSubmatch(line)
	if m == nil || p.phase == "" {
		return false
	}
	p.crate = m[1]
	p.count++
	p.mark(p.phase + "/" + p.crate)
	return true
}

// object is Ninja's progress. Where a build goes on, Ninja counts only what is left: the rest was done before.
func (p *Progress) object(done, all string) {
	p.crate = done + " of " + all
	n, _ := strconv.Atoi(done) // they are digits
	of, _ := strconv.Atoi(all)
	if p.phase != "LLVM" || of == 0 {
		return
	}
	whole := max(of, p.profile.Objects)
	p.objects = max(p.objects, of)
	percent := (whole - of + n) * 100 / whole
	p.mark(llvmMark(percent * llvmMarks / 100 * 100 / llvmMarks))
}

func (p *Progress) mark(key string) {
	if _, again := p.marks[key]; !again {
		p.marks[key] = int(p.now().Sub(p.start).Seconds())
	}
	at, known := p.profile.Marks[key]
	if !known || float64(at) < p.position {
		return
	}
	p.position, p.at = float64(at), p.now()
	if !p.seen {
		p.seen = true
		p.first = p.position
		if p.position < firstMarks {
			p.first = 0
		}
		p.passed = append(p.passed, passed{p.first, p.start})
	}
	p.passed = append(p.passed, passed{p.position, p.at})
}

// firstMarks: a run whose first mark comes so early in the profile, in seconds, began at the beginning.
const firstMarks = 60

// Left estimates what is left; ok is false while nothing can be said.
func (p *Progress) Left() (left time.Duration, ok bool) {
	if p.profile.Total == 0 {
		return 0, false
	}
	now := p.now()
	pace := p.pace()
	here := p.position + now.Sub(p.at).Seconds()/pace
	here = min(here, p.next())
	seconds := (float64(p.profile.Total) - here) * pace
	return time.Duration(max(seconds, 0) * float64(time.Second)), true
}

// pace is how many seconds of now a second of the profile takes, of late: others may use the machine as well, and
// come and go.
func (p *Progress) pace() float64 {
	const enough = 30 // seconds of the profile from which on a measured pace means something
	window := max(enough, float64(p.profile.Total)/5)
	for i := len(p.passed) - 1; i >= 0; i-- {
		from := p.passed[i]
		if done := p.position - from.position; done >= window || i == 0 && done >= enough {
			return max(p.at.Sub(from.at).Seconds()/done, 0.05)
		}
	}
	return 1
}

// next is the position of the next mark: as long as it is not seen we are before it.
func (p *Progress) next() float64 {
	next := float64(p.profile.Total)
	for _, at := range p.profile.Marks {
		if float64(at) > p.position {
			next = min(next, float64(at))
		}
	}
	return next
}

// Status is one line for people.
func (p *Progress) Status() string {
	var parts []string
	if p.phase != "" {
		parts = append(parts, strings.TrimSpace(p.phase+" "+p.crate))
	}
	if p.count > 0 {
		parts = append(parts, fmt.Sprintf("%d crates", p.count))
	}
	if left, ok := p.Left(); ok {
		parts = append(parts, "about "+minutes(left)+" left")
	}
	return strings.Join(parts, ", ")
}

func minutes(d time.Duration) string {
	if d < time.Minute {
		return "a minute"
	}
	return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
}

// fullRun is how many crates a run from nothing compiles at least; the profile of a shorter one says nothing.
const fullRun = 100

// Profile is what this run, from nothing to the end, would tell the next one; ok is false when it was no such run.
func (p *Progress) Profile() (profile Profile, ok bool) {
	if p.count < fullRun || p.first > 0 {
		return Profile{}, false
	}
	return Profile{Total: int(p.now().Sub(p.start).Seconds()), Objects: p.objects, Marks: p.marks}, true
}

// historyFile is kept beside the source.
const historyFile = "progress.json"

// LoadProfile is the profile of the last build in a folder, or otherwise.
func LoadProfile(dir string, otherwise Profile) Profile {
	var p Profile
	data, err := os.ReadFile(filepath.Join(dir, historyFile))
	if err != nil || json.Unmarshal(data, &p) != nil || p.Total < 1 {
		return otherwise
	}
	return p
}

// SaveProfile keeps a profile for the next build in the folder.
func SaveProfile(dir string, p Profile) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, historyFile), data, 0o644)
}
