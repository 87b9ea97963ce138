package report

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/junit"
)

const (
	reportSuffix = ".xml"
	logSuffix    = ".serial.log"
)

// addTests reads the reports of tests and the serial logs of guests. A log that belongs to no report is a run of its own: the
// run may have ended before it had anything to report.
func (c *collector) addTests(ctx context.Context) error {
	logs := namesIn(c.Logs, logSuffix)
	for _, name := range namesIn(filepath.Join(c.Out, "test"), reportSuffix) {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := c.suite(name)
		if err != nil {
			c.miss("the report of "+name, "the test writes it anew: "+err.Error())
			continue
		}
		var own []string
		own, logs = claimed(name, logs)
		c.addLogs(&s, own)
		c.Report.Tests = append(c.Report.Tests, s)
	}
	for _, name := range logs {
		s := Suite{Name: strings.ReplaceAll(name, "-", " "), Kind: kindOf(name), When: written(filepath.Join(c.Logs, name+logSuffix)), Cases: []Case{}}
		c.addLogs(&s, []string{name})
		c.Report.Tests = append(c.Report.Tests, s)
	}
	// What failed is what one looks for.
	slices.SortStableFunc(c.Report.Tests, func(a, b Suite) int {
		return cmp.Or(cmp.Compare(min(b.Failed, 1), min(a.Failed, 1)), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Name, b.Name))
	})
	if len(c.Report.Tests) == 0 {
		c.miss("boot tests", "mage demo boots what it builds, mage test:boot all boots the images")
	}
	return nil
}

// namesIn are the files of a folder that end in suffix, without it, sorted.
func namesIn(dir, suffix string) []string {
	var names []string
	entries, _ := os.ReadDir(dir) // one that is not there has none
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok && e.Type().IsRegular() {
			names = append(names, name)
		}
	}
	return names
}

// claimed parts the logs that a report is about, "relibc-tests-1" of relibc, from the others. relibc's images are relibc-tests-N, the second
// boots of the differential tests diff-trace.
func claimed(report string, logs []string) (own, others []string) {
	for _, log := range logs {
		if log == report || report == "relibc" && strings.HasPrefix(log, "relibc-tests-") || report == "diff" && log == "diff-trace" {
			own = append(own, log)
		} else {
			others = append(others, log)
		}
	}
	return own, others
}

func kindOf(report string) Kind {
	switch {
	case strings.HasPrefix(report, "boot-"), report == "demo":
		return Boot
	case strings.HasPrefix(report, "diff"):
		return Differential
	case strings.HasPrefix(report, "relibc"):
		return Relibc
	}
	return Other
}

func (c *collector) suite(name string) (Suite, error) {
	file := filepath.Join(c.Out, "test", name+reportSuffix)
	read, err := junit.Read(file)
	if err != nil {
		return Suite{}, err
	}
	seconds, err := strconv.ParseFloat(cmp.Or(read.Time, "0"), 64)
	if err != nil {
		return Suite{}, err
	}
	s := Suite{Name: read.Name, Kind: kindOf(name), File: c.relative(file), When: written(file), Millis: int64(seconds * 1000), Cases: []Case{}}
	for _, one := range read.Cases {
		k := Case{Name: one.Name, State: Passed}
		switch {
		case one.Failure != nil:
			k.State, k.Message, k.Text = Failed, one.Failure.Message, cleaned(one.Failure.Text)
			s.Failed++
		case one.Skipped != nil:
			k.State = Skipped
			s.Skipped++
		default:
			s.Passed++
		}
		s.Cases = append(s.Cases, k)
	}
	return s, nil
}

func (c *collector) addLogs(s *Suite, names []string) {
	s.Logs = []Log{}
	for _, name := range names {
		file := filepath.Join(c.Logs, name+logSuffix)
		text, size, err := readLog(file)
		if err != nil {
			c.miss("the log "+c.relative(file), err.Error())
			continue
		}
		l := Log{File: c.relative(file), Size: size, Text: text}
		if c.Stacks != nil {
			if f, err := os.Open(file); err == nil {
				l.Stacks, _ = c.Stacks(f) // of a log that cannot be read on, what was found
				_ = f.Close()
			}
		}
		s.Logs = append(s.Logs, l)
	}
}
