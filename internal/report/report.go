// Package report puts what is known of the last build into one value.
//
// It owns that value and how it follows from what earlier runs have left on disk: the trace, the manifest, logs, reports of tests, what
// drift and the remote cache came to. It must not know how a report is shown, nor build, boot or compare anything itself.
//
// What is not there is no error: Missing names it with the command that gives it.
package report

import (
	"time"

	"github.com/pannous/redox-clif/internal/crash"
	"github.com/pannous/redox-clif/internal/drift"
	"github.com/pannous/redox-clif/internal/gc"
	"github.com/pannous/redox-clif/internal/graph"
	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/purity"
	"github.com/pannous/redox-clif/internal/remote"
)

// Report is everything that is known of the last build.
type Report struct {
	Target string    `json:"target"`
	Commit string    `json:"commit,omitempty"` // of the checkout, as git describes it
	Made   time.Time `json:"made"`
	// Build is the last build in which a step ran; nil when there was none.
	Build *Build `json:"build,omitempty"`
	// Image is the newest initfs; nil without one.
	Image *Image `json:"image,omitempty"`
	// Change is what the image is against another one; nil when there is none to compare with.
	Change *Change `json:"change,omitempty"`
	// Purity is what compiled each file of the image; nil where the image itself is not there.
	Purity *purity.Report `json:"purity,omitempty"`
	// Patches are the series that are known to be used.
	Patches []Series `json:"patches"`
	Drift   *Drift   `json:"drift,omitempty"`
	Tests   []Suite  `json:"tests"`
	Cache   *Cache   `json:"cache,omitempty"`
	// Remote are the figures of the last run that asked a remote cache.
	Remote *Remote `json:"remote,omitempty"`
	// Missing is what the report has not.
	Missing []Missing `json:"missing"`
}

// Missing is a part that a report has not, and what gives it.
type Missing struct {
	What string `json:"what"`
	How  string `json:"how"`
}

// Build is a build.
type Build struct {
	Started time.Time `json:"started"`
	// Micros is how long it took and WorkMicros how long its steps took one after the other, in microseconds.
	Micros     int64    `json:"us"`
	WorkMicros int64    `json:"work_us"`
	Set        string   `json:"set,omitempty"`
	Toolchain  string   `json:"toolchain,omitempty"`
	Roots      []string `json:"roots"`
	Jobs       int      `json:"jobs"`    // processes at once that were allowed
	Workers    int      `json:"workers"` // steps that ran at once
	// Failed says for people what failed; "" when nothing did.
	Failed string `json:"failed,omitempty"`
	Counts Counts `json:"counts"`
	Steps  []Step `json:"steps"` // in an order in which they could run
	Bars   []Bar  `json:"bars"`  // in the order in which they began
	// Critical is the chain of steps that bounds the build; nil when nothing took any time.
	Critical *graph.CriticalPath `json:"critical_path,omitempty"`
}

// Counts are steps by outcome.
type Counts struct {
	Ran      int `json:"ran"`
	UpToDate int `json:"up_to_date"`
	Fetched  int `json:"fetched"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
}

// Step is a step of a build.
type Step struct {
	ID      string   `json:"id"`
	Recipe  string   `json:"recipe"` // or "std", for the standard library
	Needs   []string `json:"needs,omitempty"`
	Outcome string   `json:"outcome"` // the words of graph.Outcome
	Reason  string   `json:"reason,omitempty"`
	// Micros is how long it ran in this build, LastMicros in the last build in which it ran; 0 when it did not.
	Micros     int64 `json:"us,omitempty"`
	LastMicros int64 `json:"last_us,omitempty"`
	Critical   bool  `json:"critical,omitempty"`
	// Log is the file below the checkout, "" without one; Tail is its end, of a step that failed.
	Log  string `json:"log,omitempty"`
	Tail string `json:"tail,omitempty"`
}

// Bar is a time in which a worker ran a step, or got its result from another machine. Times are in microseconds since the build began.
type Bar struct {
	Step    int    `json:"step"` // index into Steps
	Start   int64  `json:"start_us"`
	Micros  int64  `json:"us"`
	Worker  int    `json:"worker"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// Image is an initfs with what is in it. Sizes are in bytes.
type Image struct {
	manifest.Image
	Recipe    string    `json:"recipe"`
	Toolchain string    `json:"toolchain"`
	When      time.Time `json:"when"` // the manifest was written
	Files     []File    `json:"files"`
	// FileBytes are those of the files as they are named, BootstrapSize of Image comes besides. Overhead is the rest of the image, below 0 where
	// equal files share their bytes.
	FileBytes int64           `json:"file_bytes"`
	Overhead  int64           `json:"overhead"`
	Purity    manifest.Purity `json:"purity"`
}

// File is a file of an image.
type File struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Recipe  string `json:"recipe"`
	Backend string `json:"backend,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	// Crates are what is known of the crates in it, the largest first; what is left of Size has no names.
	Crates []Crate `json:"crates,omitempty"`
}

// Crate is a crate's share of a file or an image.
type Crate struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Change is what is different from another image.
type Change struct {
	Against    string          `json:"against"` // which one, for people
	SizeBefore int64           `json:"size_before"`
	SizeAfter  int64           `json:"size_after"`
	Before     manifest.Purity `json:"purity_before"`
	After      manifest.Purity `json:"purity_after"`
	Files      []FileChange    `json:"files"` // the largest difference first
}

// Same tells whether both are the same image, file by file.
func (c *Change) Same() bool { return len(c.Files) == 0 && c.SizeBefore == c.SizeAfter }

// FileChange is a file that is not the same in both.
type FileChange struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"` // "new", "gone" or "changed"
	Before int64  `json:"before"`
	After  int64  `json:"after"`
	// Backend is what compiled it, with "A -> B" where that changed.
	Backend string `json:"backend,omitempty"`
}

// Series is a patch series.
type Series struct {
	Name string `json:"name"`
	// States are what became of it on each source, by drift; none when drift was not asked.
	States []drift.SeriesState `json:"states"`
	// Files are how many of the image's were built with it.
	Files   int     `json:"files"`
	Patches []Patch `json:"patches"`
	Problem string  `json:"problem,omitempty"` // why it cannot be read
}

// Patch is a patch of a series.
type Patch struct {
	Name     string `json:"name"`
	Title    string `json:"title"`
	Reason   string `json:"reason"`
	Upstream string `json:"upstream,omitempty"`
}

// Drift is what drift came to when it was last asked.
type Drift struct {
	When time.Time `json:"when"`
	drift.Report
}

// Suite is a run of tests.
type Suite struct {
	Name string    `json:"name"`
	Kind Kind      `json:"kind"`
	File string    `json:"file,omitempty"` // the report below the checkout; "" for a run that left only a log
	When time.Time `json:"when"`
	// Millis is how long it took.
	Millis  int64  `json:"ms"`
	Passed  int    `json:"passed"`
	Failed  int    `json:"failed"`
	Skipped int    `json:"skipped"`
	Cases   []Case `json:"cases"`
	Logs    []Log  `json:"logs"`
}

// Kind is what a suite tests.
type Kind string

// The kinds.
const (
	Boot         Kind = "boot"         // a guest does what it has to
	Differential Kind = "differential" // both backends' programs print the same
	Relibc       Kind = "relibc"       // relibc's own tests
	Other        Kind = "other"
)

// Case is one thing that was tested.
type Case struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	// Message is what kind of failure it is, Text all of it.
	Message string `json:"message,omitempty"`
	Text    string `json:"text,omitempty"`
}

// State is how a case ended.
type State string

// The states.
const (
	Passed  State = "passed"
	Failed  State = "failed"
	Skipped State = "skipped" // not tried, or failed as it is known to
)

// Log is what a guest's serial line printed.
type Log struct {
	File string `json:"file"` // below the checkout
	Size int64  `json:"size"` // bytes
	// Text is clean of what only a terminal understands; of a long log it has beginning and end, with a line about what is between.
	Text string `json:"text"`
	// Stacks are the traces in it, in functions and lines where the programs' symbols are here.
	Stacks []crash.Stack `json:"stacks,omitempty"`
}

// Cache is what is in the cache.
type Cache struct {
	gc.Inventory
	// HitPercent is how many of the build's steps did not have to run, rounded down; 0 without a build.
	HitPercent int `json:"hit_percent"`
}

// Remote are figures of a remote cache.
type Remote struct {
	When time.Time `json:"when"`
	remote.Stats
}

// State counts the cases of all suites.
func (r *Report) State() (passed, failed, skipped int) {
	for _, s := range r.Tests {
		passed, failed, skipped = passed+s.Passed, failed+s.Failed, skipped+s.Skipped
	}
	return passed, failed, skipped
}

// Crates sums the crates of all files up, the largest first. What has no names is the crate "".
func (i *Image) Crates() []Crate {
	sizes := map[string]int64{}
	for _, f := range i.Files {
		rest := f.Size
		for _, c := range f.Crates {
			sizes[c.Name] += c.Size
			rest -= c.Size
		}
		sizes[""] += rest
	}
	return largestFirst(sizes)
}
