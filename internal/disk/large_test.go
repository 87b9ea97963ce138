package disk

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pannous/redox-clif/internal/test/wants"

	"github.com/pannous/redox-clif/internal/redoxfs/redoxfstest"
)

// A tree of 1 GiB in 20,000 files becomes an image in at most twice the time of cp -a and sync, with less than 300 MB. It
// writes 3 GiB, so it runs only when asked to.
func TestLarge(t *testing.T) {
	wants.LargeImage.On(t)
	tool := redoxfstest.Tool(t)
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	items := largeTree(t, tree)
	d, err := Parse("large", "large.toml", []byte("size-mib = 1500\n[[tree]]\nfrom = \"tree\""))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for _, command := range [][]string{{"cp", "-a", tree, filepath.Join(dir, "copy")}, {"sync", "-f", dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	copying := time.Since(start)
	start = time.Now()
	ops, err := d.Contents(t.Context(), func(context.Context, string) ([]Item, error) { return items, nil })
	if err != nil {
		t.Fatal(err)
	}
	b := Build{Tool: tool, Description: d, Contents: ops}
	report, err := b.Make(t.Context(), filepath.Join(dir, "large.img"))
	if err != nil {
		t.Fatal(err)
	}
	building := time.Since(start)
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d bytes: cp -a and sync %v, image %v, verified; largest child %d MiB", report.Files, report.Bytes,
		copying.Round(10*time.Millisecond), building.Round(10*time.Millisecond), usage.Maxrss>>10)
	if building > 2*copying {
		t.Errorf("%v is more than twice %v", building, copying)
	}
	if usage.Maxrss > 300<<10 {
		t.Errorf("%d KiB of memory", usage.Maxrss)
	}
}

func largeTree(t *testing.T, tree string) []Item {
	t.Helper()
	random := rand.New(rand.NewSource(1))
	items := []Item{{Dir: true, Mode: 0o755}}
	buf := make([]byte, 200_000)
	random.Read(buf)
	for i := range 20_000 {
		sub := fmt.Sprintf("d%d", i%200)
		if i < 200 {
			items = append(items, Item{Path: sub, Dir: true, Mode: 0o755})
		}
		item := Item{Path: fmt.Sprintf("%s/f%d", sub, i), Host: filepath.Join(tree, sub, fmt.Sprintf("f%d", i)), Mode: 0o644}
		size := []int{100, 3000, 20_000, 60_000, 180_000}[random.Intn(5)]
		random.Read(buf[:64]) // no two files alike
		if err := os.MkdirAll(filepath.Dir(item.Host), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(item.Host, buf[:size], 0o644); err != nil {
			t.Fatal(err)
		}
		items = append(items, item)
	}
	return items
}
