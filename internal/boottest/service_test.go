package boottest

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/pannous/redox-clif/internal/disk"
	"github.com/pannous/redox-clif/internal/qemu"
)

// talkTo says something to a service of the test's, whose address for the guest is in a command.
func talkTo(t *testing.T, address, says string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, says); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(says, "\n") {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestBootServices(t *testing.T) {
	text := "%{service.one}"
	test := &Test{
		Services: []Service{{Name: "one", Hears: `(?m)^please$`, Says: "here"}, {Name: "two"}},
		Commands: []Command{{Run: "%{service.one}"}},
		Steps:    []Step{{Wait: "a", Send: "x %{service.two}"}},
		Files:    []disk.File{{Text: &text}},
	}
	b, err := test.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	at := test.Commands[0].Run
	if !strings.HasPrefix(at, "10.0.2.2:") || *test.Files[0].Text != at || test.Steps[0].Send == "x "+at || !strings.HasPrefix(test.Steps[0].Send, "x 10.0.2.2:") {
		t.Fatalf("%+v", test)
	}
	if _, err := test.Script(); err != nil {
		t.Error(err)
	}
	run := &Run{Test: test, Services: b}
	judge := func() string {
		o, err := run.Judge(t.Context(), &qemu.Result{Outcome: qemu.Passed})
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Err(); err != nil {
			return err.Error()
		}
		if !o.Passed {
			t.Error("no error, and not passed")
		}
		return ""
	}
	if got := judge(); strings.Count(got, "nobody has asked it") != 2 {
		t.Errorf("before: %s", got)
	}
	if got := talkTo(t, at, "give me"); got != "" {
		t.Errorf("an answer to another question: %q", got)
	}
	b.running[0].waitFor(t)
	if got := judge(); !strings.Contains(got, `service one: heard "give me"`) || !strings.Contains(got, "please") {
		t.Errorf("the wrong question: %s", got)
	}
	if got := talkTo(t, at, "so\nplease\n"); got != "here" {
		t.Errorf("answer %q", got)
	}
	talkTo(t, strings.TrimPrefix(test.Steps[0].Send, "x "), "")
	b.Stop()
	b.all.Wait()
	if got := judge(); got != "" {
		t.Error(got)
	}
	// What a failed guest has not asked is not its mistake.
	if o, err := run.Judge(t.Context(), &qemu.Result{Outcome: qemu.Silence}); err != nil || len(o.Checks) != 0 {
		t.Error(o.Checks, err)
	}
}

// waitFor waits until a talk has been noted.
func (r *runningService) waitFor(t *testing.T) {
	t.Helper()
	for t.Context().Err() == nil {
		r.mu.Lock()
		done := r.heard != nil || r.answered > 0
		r.mu.Unlock()
		if done {
			return
		}
	}
}

func TestBootServiceMistakes(t *testing.T) {
	test := &Test{
		Steps:    []Step{{Wait: "a", Send: "%{service.three}"}},
		Services: []Service{{Name: "Two", Hears: "("}, {Name: "one"}, {Name: "one"}},
	}
	b, err := test.Serve()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	_, err = test.Script()
	for _, want := range []string{`service "Two": want a name`, `service "Two": error parsing`, `two services have the name "one"`, "%{service.three}: there is no such [[service]]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
}
