package page

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/pannous/redox-clif/internal/manifest"
	"github.com/pannous/redox-clif/internal/report"
	"github.com/pannous/redox-clif/internal/report/reporttest"
	"github.com/pannous/redox-clif/internal/test/wants"
)

// browser is a headless Chromium with one page, which notes what goes wrong in it and what it asks the network for.
type browser struct {
	context.Context
	t *testing.T

	mu       sync.Mutex
	faults   []string
	requests []string
}

func open(t *testing.T, width int64) *browser {
	t.Helper()
	b := &browser{t: t}
	o := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(wants.Browser.On(t)), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true))
	ctx, end := chromedp.NewExecAllocator(t.Context(), o...)
	t.Cleanup(end)
	b.Context, end = chromedp.NewContext(ctx, chromedp.WithListener(b.listen))
	t.Cleanup(end)
	viewport := []chromedp.EmulateViewportOption{}
	if width < 600 {
		viewport = append(viewport, chromedp.EmulateMobile)
	}
	b.do(chromedp.EmulateViewport(width, 900, viewport...))
	call(b, network.Enable, network.EnableParams{})
	return b
}

func call[P, R any](b *browser, command cdp.Command[P, R], parameters P) {
	b.t.Helper()
	if _, err := chromedp.Call(b, command, parameters); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			b.faults = append(b.faults, e.Entry.Text)
		}
	case *runtime.EventConsoleAPICalled:
		b.faults = append(b.faults, fmt.Sprintf("console.%s", e.Type))
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	}
}

// do does what has no value, and waits for none of it longer than a minute.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if chromedp.FromContext(b).Target == nil { // the browser lives as long as the context of what starts it
		if err := chromedp.Do(b); err != nil {
			b.t.Fatal(err)
		}
	}
	ctx, end := context.WithTimeout(b, time.Minute)
	defer end()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// value is what an expression of the page comes to.
func value[T any](b *browser, expression string, o ...chromedp.EvaluateOption) T {
	b.t.Helper()
	v, err := chromedp.Run(b, chromedp.Evaluate[T](expression, o...))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// shown opens a report's page and returns how many milliseconds it took until the script had run.
func (b *browser) shown(r *report.Report) float64 {
	b.t.Helper()
	text, err := HTML(r)
	if err != nil {
		b.t.Fatal(err)
	}
	file := filepath.Join(b.t.TempDir(), "report.html")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		b.t.Fatal(err)
	}
	start := time.Now()
	b.do(chromedp.Navigate("file://"+file), chromedp.WaitReady(chromedp.CSS(`:root[data-ready=yes]`)))
	took := time.Since(start)
	b.t.Logf("%d bytes, %d ms", len(text), took.Milliseconds())
	if keep := wants.Screenshots.Given(); keep != "" {
		b.picture(filepath.Join(keep, strings.ReplaceAll(b.t.Name(), "/", "-")+".png"))
	}
	return float64(took.Milliseconds())
}

func (b *browser) picture(file string) {
	b.t.Helper()
	png, err := chromedp.Run(b, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func collected(t *testing.T, from report.Sources) *report.Report {
	t.Helper()
	r, err := report.Collect(t.Context(), from, "aarch64-unknown-redox-clif", time.Date(2026, 11, 29, 13, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestThePageInABrowser(t *testing.T) {
	for _, steps := range []int{24, 3000} {
		for _, width := range []int64{400, 1600} {
			t.Run(fmt.Sprintf("%d steps, %d pixels", steps, width), func(t *testing.T) {
				b := open(t, width)
				from := reporttest.Out(t, steps)
				r := collected(t, from)
				if took := b.shown(r); took >= 2000 {
					t.Errorf("it opens in %.0f ms, want less than 2 s", took)
				}
				m, err := manifest.ReadIn(from.Out)
				if err != nil {
					t.Fatal(err)
				}
				b.hasTheNumbersOf(m, r)
				b.fitsInto(width)
				b.filters(r)
				b.folds(r)
				b.hearsKeys(r)
				b.mu.Lock()
				defer b.mu.Unlock()
				for _, fault := range b.faults {
					t.Errorf("the console says: %s", fault)
				}
				for _, url := range b.requests {
					if !strings.HasPrefix(url, "file:") && !strings.HasPrefix(url, "data:") {
						t.Errorf("it asks for %s", url)
					}
				}
			})
		}
	}
}

// hasTheNumbersOf counts what the page shows against the manifest and the build.
func (b *browser) hasTheNumbersOf(m *manifest.Manifest, r *report.Report) {
	b.t.Helper()
	var files, compiled, cranelift int64
	for _, f := range m.Files {
		files += f.Size
		if f.Backend != "" {
			compiled += f.Size
		}
		if f.Backend == "cranelift" {
			cranelift += f.Size
		}
	}
	const sum = `[...document.querySelectorAll(%q)].reduce((n, e) => n + Number(e.dataset[%q]), 0)`
	ran := 0
	for _, s := range r.Build.Steps {
		if s.Outcome == "ran" {
			ran++
		}
	}
	for what, c := range map[string]struct {
		expression string
		want       int64
	}{
		"the image's size":          {`Number(document.querySelector("[data-key=image]").dataset.value)`, m.Image.Size},
		"the files of the table":    {fmt.Sprintf(sum, "tr.file", "size"), files + m.Image.BootstrapSize},
		"the treemap by recipe":     {fmt.Sprintf(sum, "[data-map=recipe] .treemap > .cell:not(.part)", "size"), m.Image.Size},
		"the bytes by Cranelift":    {`Number(document.querySelector("[data-key=cranelift]").dataset.value)`, cranelift},
		"the bytes by all backends": {fmt.Sprintf(sum, "#purity [data-backend]", "bytes"), files + m.Image.BootstrapSize},
		"the steps":                 {`Number(document.querySelector("[data-key=steps]").dataset.value)`, int64(len(r.Build.Steps))},
		"the steps of all recipes":  {`JSON.parse(document.querySelector("#data").textContent).steps.length`, int64(len(r.Build.Steps))},
		"the bars":                  {`document.querySelectorAll(".bar").length`, int64(ran)},
		"the critical path":         {`document.querySelectorAll("ol.chain li").length`, int64(len(r.Build.Critical.Steps))},
		"the tests that failed":     {`document.querySelectorAll("#tests .cases li.failed").length`, 1},
		"the files that changed":    {`document.querySelectorAll("#changes tbody tr").length`, 2},
	} {
		if got := value[int64](b, c.expression); got != c.want {
			b.t.Errorf("%s: the page has %d, want %d", what, got, c.want)
		}
	}
}

// fitsInto: nothing but what scrolls by itself is wider than the screen.
func (b *browser) fitsInto(width int64) {
	b.t.Helper()
	if got := value[int64](b, `document.documentElement.scrollWidth`); got > width {
		b.t.Errorf("the page is %d pixels wide, the screen %d: %s", got, width, value[string](b,
			`[...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .tablebox, nav, svg")).slice(0, 5).map(e => e.tagName + "." + e.className).join(" ")`))
	}
}

func (b *browser) filters(r *report.Report) {
	b.t.Helper()
	const wanted = "recipe-001/"
	hits, bars := 0, 0
	for _, s := range r.Build.Steps {
		if strings.Contains(s.ID, wanted) {
			hits++
			if s.Outcome == "ran" {
				bars++
			}
		}
	}
	b.do(chromedp.KeyEvent("/"))
	if got := value[string](b, `document.activeElement.id`); got != "filter" {
		b.t.Errorf("/ leads to %q", got)
	}
	// The event of the test's driver that stands for the character comes in spite of the page's preventDefault.
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#filter").value = ""`), chromedp.SendKeys(chromedp.CSS("#filter"), wanted),
		chromedp.WaitVisible(chromedp.CSS("#matches")))
	want := fmt.Sprintf("%d of %d steps", hits, len(r.Build.Steps))
	if !value[bool](b, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise) {
		b.t.Error("no frame was drawn")
	}
	if got := value[string](b, `document.querySelector("#matches").textContent`); !strings.HasPrefix(got, want) {
		b.t.Errorf("the filter says %q, want %q", got, want)
	}
	if got := value[int](b, `document.querySelectorAll(".bar:not(.dimmed)").length`); got != bars {
		b.t.Errorf("%d bars are bright, want %d", got, bars)
	}
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible(chromedp.CSS("#matches")))
	if got := value[int](b, `document.querySelectorAll(".dimmed").length`); got != 0 {
		b.t.Errorf("%d things are dimmed without a filter", got)
	}
}

func (b *browser) folds(r *report.Report) {
	b.t.Helper()
	want := 0
	for _, s := range r.Build.Steps {
		if s.Recipe == "recipe-001" {
			want++
		}
	}
	const recipe = `document.querySelector("details[data-recipe=recipe-001]")`
	b.do(chromedp.Evaluate[chromedp.Void](recipe+`.open = false`), chromedp.Evaluate[chromedp.Void](recipe+`.querySelector("summary").click()`),
		chromedp.WaitVisible(chromedp.CSS(`details[data-recipe=recipe-001] li`)))
	if got := value[int](b, recipe+`.querySelectorAll("li").length`); got != want {
		b.t.Errorf("recipe-001 unfolds to %d steps, want %d", got, want)
	}
	b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#fold").click()`))
	if value[bool](b, recipe+".open") {
		b.t.Error("fold all leaves a recipe unfolded")
	}
}

func (b *browser) hearsKeys(r *report.Report) {
	b.t.Helper()
	before := value[string](b, `getComputedStyle(document.body).backgroundColor`)
	b.do(chromedp.KeyEvent("t"))
	if after := value[string](b, `getComputedStyle(document.body).backgroundColor`); after == before {
		b.t.Errorf("t leaves the background %s", after)
	}
	b.do(chromedp.KeyEvent("t"), chromedp.KeyEvent("?"))
	if !value[bool](b, `document.querySelector("#keys").open`) {
		b.t.Error("? opens no list of keys")
	}
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.Focus(chromedp.CSS("#scroll")), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(chromedp.CSS("#drawer")))
	first := r.Build.Steps[r.Build.Bars[0].Step]
	if got := value[string](b, `document.querySelector("#detail").textContent`); !strings.Contains(got, first.ID) || !strings.Contains(got, first.Reason) {
		b.t.Errorf("the first step is told as %q, want %s and %q in it", got, first.ID, first.Reason)
	}
	b.do(chromedp.KeyEvent(kb.Escape), chromedp.WaitNotVisible(chromedp.CSS("#drawer")))
}

// What others have written (names, logs, reasons) is text and never markup or script.
func TestTextOfOthersIsText(t *testing.T) {
	b := open(t, 1600)
	r := collected(t, reporttest.Out(t, 24))
	const evil = `</script><script>document.title="owned"</script><img src=x onerror='document.title="owned"'>`
	r.Build.Steps[0].ID, r.Build.Steps[1].Reason, r.Build.Failed = "a/"+evil, evil, evil
	r.Image.Files[0].Path, r.Tests[0].Cases[0].Name, r.Tests[0].Logs[0].Text, r.Commit = evil, evil, evil, evil
	b.shown(r)
	if got := value[string](b, `document.title`); got != "initfs · redox-clif" {
		t.Errorf("the title is %q", got)
	}
	if got := value[int](b, `document.querySelectorAll("main img, main script").length`); got != 0 {
		t.Errorf("%d elements of others", got)
	}
}

// Dark and light follow what the reader has chosen for all pages.
func TestDarkAndLightFollowTheReader(t *testing.T) {
	b := open(t, 800)
	var got []string
	for _, scheme := range []string{"light", "dark"} {
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		b.shown(collected(t, reporttest.Out(t, 24)))
		got = append(got, value[string](b, `getComputedStyle(document.body).backgroundColor`))
	}
	if got[0] == got[1] {
		t.Errorf("both are %s", got[0])
	}
}
