package patch

import "testing"

func TestAnAnchorIsProposedWhereOneLineIsLikeIt(t *testing.T) {
	for name, c := range map[string]struct {
		edit Edit
		text string
		want string
	}{
		"a renamed function":   {Edit{Anchor: "fn open_file(", Where: Before}, "fn a() {}\nfn open_path_file(path: &str) {\n", "fn open_path_file("},
		"a changed type":       {Edit{Anchor: "fn fsize(&mut self, id: usize) -> Result<u64> {", Where: Before}, "    async fn fsize(&mut self, id: Id) -> Result<u64> {\n", "fn fsize(&mut self, id: Id) -> Result<u64> {"},
		"two that are like it": {Edit{Anchor: "fn open_file(", Where: Before}, "fn open_files(\nfn open_filed(\n", ""},
		"none that is":         {Edit{Anchor: "fn open_file(", Where: Before}, "fn read()\n", ""},
		"what is replaced":     {Edit{Anchor: "fn open_file(", Where: Replace}, "fn open_path_file(path: &str) {\n", ""},
		"several lines":        {Edit{Anchor: "fn open_file(\n", Where: Before}, "fn open_path_file(\n", ""},
		"it is there":          {Edit{Anchor: "fn open", Where: Before}, "fn open()\n", ""},
	} {
		c.edit.Count = 1
		got, ok := c.edit.Propose(c.text)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: %q %v, want %q", name, got, ok, c.want)
		}
	}
}
