package junit

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// Suite is the cases of one run.
type Suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Time     string   `xml:"time,attr"` // seconds
	Cases    []Case   `xml:"testcase"`

	class string
}

// Case is one of them.
type Case struct {
	Name    string    `xml:"name,attr"`
	Class   string    `xml:"classname,attr"`
	Failure *Failure  `xml:"failure,omitempty"`
	Skipped *struct{} `xml:"skipped,omitempty"`
}

// Failure says why a case failed.
type Failure struct {
	Message string `xml:"message,attr"` // what kind of failure it is
	Text    string `xml:",chardata"`
}

// NewSuite makes a suite without cases. class is the class name that its cases get.
func NewSuite(name, class string, took time.Duration) *Suite {
	return &Suite{Name: name, Time: fmt.Sprintf("%.1f", took.Seconds()), class: class}
}

// Pass adds a case that passed.
func (s *Suite) Pass(name string) { s.add(Case{Name: name}) }

// Skip adds a case that was not tried, or failed as it is known to.
func (s *Suite) Skip(name string) { s.add(Case{Name: name, Skipped: &struct{}{}}) }

// Fail adds a case that failed.
func (s *Suite) Fail(name, message, text string) {
	s.Failures++
	s.add(Case{Name: name, Failure: &Failure{message, text}})
}

func (s *Suite) add(c Case) {
	c.Class = s.class
	s.Tests++
	s.Cases = append(s.Cases, c)
}

// Report is the file for the suite of a run that has begun.
type Report struct{ File string }

// Begin begins a run by removing the report of an earlier one: it would pass for this run's when this one ends before it has
// anything to report. The file has to be written by Write.
func Begin(file string) (*Report, error) {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &Report{file}, nil
}

// Write writes the file; its folder is made when it is missing.
func (r *Report) Write(s *Suite) error {
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.File), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(r.File, append([]byte(xml.Header), append(text, '\n')...), 0o644)
}

// Read reads a report that Write wrote.
func Read(file string) (*Suite, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &Suite{}
	if err := xml.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}
