package junit

import (
	"encoding/xml"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// The parts of JUnit's XML that CI systems read.
type Suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Time     string   `xml:"time,attr"`
	Cases    []Case   `xml:"testcase"`
}

type Case struct {
	Name    string    `xml:"name,attr"`
	Class   string    `xml:"classname,attr"`
	Failure *Failure  `xml:"failure,omitempty"`
	Skipped *struct{} `xml:"skipped,omitempty"`
}

type Failure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Write counts the cases and replaces the file; its folder is made when it is missing.
func (s *Suite) Write(file string) error {
	s.Tests = len(s.Cases)
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(file, append([]byte(xml.Header), append(text, '\n')...), 0o644)
}
