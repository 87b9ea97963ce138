package patch

import (
	"strings"
	"testing"
)

// timer is a handler as it was in January 2026, and timerLater as it was in June: every anchor is there, and the callee has another name.
const (
	timer = `use crate::scheme::irq::trigger;

impl InterruptHandler for Timer {
    fn name(&self) -> &str {
        "trigger(irq, token)"
    }

    #[inline]
    fn irq_handler(
        &mut self,
        irq: u32,
        token: &mut Token,
    ) {
        self.clear_irq();
        timeout::trigger(token);

        unsafe {
            trigger(irq, token);
        }
        self.reload_count();
    }

    fn other(&self) {}
}
`
	edit = `
[[edit]]
file = "a.rs"
anchor = "timeout::trigger(token);"
until = "self.reload_count();"
where = "replace"
text = "self.reload_count(); unsafe { trigger(irq, token); }"
`
)

var timerLater = strings.ReplaceAll(timer, "            trigger(irq, token);", "            irq_trigger(irq.try_into().unwrap(), token);")

func TestAnEditIsAConflictWithoutItsContext(t *testing.T) {
	for name, c := range map[string]struct{ patch, in, status, detail string }{
		"a callee that is there":    {edit + `context = [" trigger(irq, token)", "fn irq_handler("]`, timer, "applied", ""},
		"a callee of another name":  {edit + `context = [" trigger(irq, token)"]`, timerLater, "conflict", `a.rs:15: conflict: the function around it (line 9) lacks " trigger(irq, token)"`},
		"without context":           {edit, timerLater, "applied", ""},
		"another function has it":   {edit + `context = ["fn name("]`, timer, "conflict", "lacks \"fn name(\""},
		"another signature":         {edit + `context = ["irq: u8,"]`, timer, "conflict", `a.rs:11 (`},
		"the difference":            {edit + `context = ["irq: u8,"]`, timer, "conflict", `[in place of "u8" there is "u32"]`},
		"in no function":            {"[[edit]]\nfile = \"a.rs\"\nanchor = \"impl InterruptHandler\"\nwhere = \"before\"\ntext = \"// x\"\ncontext = [\"fn other(\"]", timer, "applied", ""},
		"nowhere in the file":       {"[[edit]]\nfile = \"a.rs\"\nanchor = \"impl InterruptHandler\"\nwhere = \"before\"\ntext = \"// x\"\ncontext = [\"fn others(\"]", timer, "conflict", "the file lacks"},
		"there already":             {edit + `context = ["fn irq_handler(", "reload_count"]`, strings.ReplaceAll(timer, "timeout::trigger(token);", "self.reload_count(); unsafe { trigger(irq, token); }"), "satisfied", ""},
		"Windows lines":             {edit + "context = ['''\n        irq: u32,\n        token: &mut Token,\n''']", strings.ReplaceAll(timer, "\n", "\r\n"), "applied", ""},
		"elsewhere":                 {"[[context]]\nfile = \"b.rs\"\npattern = 'fn trigger\\(irq: u32'\n" + edit, timer, "applied", ""},
		"elsewhere it changed":      {"[[context]]\nfile = \"b.rs\"\npattern = 'fn trigger\\(irq: u8'\n" + edit, timer, "conflict", `b.rs does not match "fn trigger\\(irq: u8"`},
		"elsewhere, the difference": {"[[context]]\nfile = \"b.rs\"\npattern = 'fn trigger\\(irq: u8, token: &mut Token\\)'\n" + edit, timer, "conflict", `b.rs:1 (85%): pub fn trigger(irq: u32, token: &mut Token) {} [in place of "u8" there is "u32"`},
		"elsewhere it is gone":      {"[[context]]\nfile = \"c.rs\"\npattern = 'fn trigger'\n" + edit, timer, "conflict", "c.rs does not match"},
	} {
		tr := tree("a.rs", c.in, "b.rs", "pub fn trigger(irq: u32, token: &mut Token) {}\n")
		report, err := apply(series(t, "0001-a.toml", c.patch), tr)
		if report == nil {
			t.Fatal(name, err)
		}
		if got := statuses(report); got != c.status || (err != nil) != (c.status == "conflict") || err != nil && !strings.Contains(err.Error(), c.detail) {
			t.Errorf("%s: %s\n%v\nwant %s, %s", name, got, err, c.status, c.detail)
		}
		if changed := string(tr["a.rs"].Data) != c.in; changed != (c.status == "applied") {
			t.Errorf("%s: changed is %v", name, changed)
		}
	}
}

func TestTheFunctionAroundALine(t *testing.T) {
	text := `mod a {
    pub(crate) async unsafe fn outer(x: &str) {
        let fnord = 1; // fn in a comment
        // let y = |fn_x| {
        fn inner() {
            here();
        }
        let s = r#"
not indented: fn x
"#;
        there();
    }
    const LAST: u8 = 1;
}
fn top() { one_line() }
`
	for at, head := range map[string]string{
		"here();": "        fn inner() {", "there();": "    pub(crate) async unsafe fn outer(x: &str) {", "LAST": "mod a {", "one_line": "fn top() { one_line() }", "fn outer": "    pub(crate) async unsafe fn outer(x: &str) {",
	} {
		start, end := functionAround(text, strings.Index(text, at))
		if got := lineAt(text, start); got != head && head != "mod a {" || head == "mod a {" && (start != 0 || end != len(text)) {
			t.Errorf("%s: begins with %q, want %q", at, got, head)
		}
		if !strings.Contains(text[start:end], at) {
			t.Errorf("%s is outside of %q", at, text[start:end])
		}
	}
}

func TestDifference(t *testing.T) {
	for _, c := range [][3]string{
		{"use std::process;", "use std::arch::asm;", `in place of "process" there is "arch::asm"`},
		{"for event in queue {", "for _ in queue {", `in place of "event" there is "_"`},
		{"fn a(x: u8)", "pub fn a(x: u8) {", ""}, {"a(x: u8)", "a(x: u8, y)", `there is ", y" besides`},
		{"fn a(x: u8, y: u8)", "fn a(x: u8)", `there is no ", y: u8"`},
		{"same", "same", ""}, {"abc", "xyz", ""}, {"", "", ""},
	} {
		if got := difference(c[0], c[1]); got != c[2] {
			t.Errorf("%q, %q: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}
