package junit

import (
	"encoding/xml"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestReport(t *testing.T) {
	s := NewSuite("some tests", "some", 1500*time.Millisecond)
	s.Pass("one")
	s.Skip("two")
	s.Fail("three", "wrong", "<it>\n& that")
	r, err := Begin(filepath.Join(t.TempDir(), "not", "there", "x.xml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Write(s); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	var got Suite
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := Suite{Name: "some tests", Tests: 3, Failures: 1, Time: "1.5", Cases: []Case{
		{Name: "one", Class: "some"}, {Name: "two", Class: "some", Skipped: &struct{}{}}, {Name: "three", Class: "some", Failure: &Failure{"wrong", "<it>\n& that"}},
	}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Suite{}), cmpopts.IgnoreFields(Suite{}, "XMLName")); diff != "" {
		t.Error(diff)
	}
}

// A run that ends early must not leave the report of an earlier one to pass for its own.
func TestBeginRemovesAnEarlierReport(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.xml")
	if err := os.WriteFile(file, []byte("<testsuite/>"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(file); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(file, "below"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Begin(file); err == nil {
		t.Error("began though something is in the way")
	}
}
