package host

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/test/wants"
)

var flushOrder = []string{"test", "--no-default-features", "--features", "std,log", "--test", "flush_order"}

// TestRedoxfsFlush runs patches/redoxfs/flush_order.rs, which is what the series promises, and sees
// the same tests fail without it, else they test nothing.
func TestRedoxfsFlush(t *testing.T) {
	target := t.TempDir()
	dir := patched(t, wants.RedoxfsSource, "redoxfs")
	if out, err := cargo(t, dir, target, flushOrder...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	t.Run("no flush around the header", func(t *testing.T) {
		without := patched(t, wants.RedoxfsSource, "redoxfs", "0002-flush-around-header.toml")
		write(t, filepath.Join(without, "tests/flush_order.rs"), read(t, filepath.Join(patchesDir, "redoxfs/flush_order.rs")))
		mustFail(t, without, target,
			"blocks_then_flush_then_header_then_flush", "what_was_committed_survives_a_power_failure",
			"a_header_that_overtakes_its_blocks_breaks_nothing", "a_failed_flush_fails_the_transaction")
	})

	t.Run("flush after the header only", func(t *testing.T) {
		late := patched(t, wants.RedoxfsSource, "redoxfs")
		file := filepath.Join(late, "src/transaction.rs")
		write(t, file, strings.Replace(read(t, file), "self.fs.disk.flush()?;", "", 1))
		mustFail(t, late, target, "blocks_then_flush_then_header_then_flush", "a_header_that_overtakes_its_blocks_breaks_nothing")
	})
}

// mustFail runs the tests and wants those named to fail.
func mustFail(t *testing.T, dir, target string, names ...string) {
	t.Helper()
	out, err := cargo(t, dir, target, flushOrder...)
	if err == nil {
		t.Fatalf("the tests pass:\n%s", out)
	}
	for _, name := range names {
		mustContain(t, out, "test "+name+" ... FAILED")
	}
}
