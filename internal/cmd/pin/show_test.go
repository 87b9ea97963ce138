package pin

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pannous/redox-clif/internal/toolchain"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestShownTable: the reports of package toolchain's golden files, for people.
func TestShownTable(t *testing.T) {
	pin, err := toolchain.LoadPin("../../../toolchain/toolchain.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"show-full", "show-nothing"} {
		text, err := os.ReadFile(filepath.Join("../../toolchain/testdata", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		r := &toolchain.Report{Pin: pin}
		if err := json.Unmarshal(text, r); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (&shown{Report: r}).print(&out); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s (go test ./internal/cmd/pin -update):\n%s", golden, diff)
		}
	}
}
