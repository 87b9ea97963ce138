// Package settings is `mage config`: what holds, and where it comes from.
//
// It owns the order in which settings are told, and which of them nobody is shown. It must not decide one: package config does, and packages source
// and remotesetting for what overrides.toml says.
package settings

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pannous/redox-clif/internal/config/environ"
	"github.com/pannous/redox-clif/internal/remotesetting"
	"github.com/pannous/redox-clif/internal/session"
	"github.com/pannous/redox-clif/internal/toolchain"
	"github.com/pannous/redox-clif/internal/ui"
)

// Setting is one, with what holds in this call.
type Setting struct {
	Name  string `json:"name"`           // of the variable
	Flag  string `json:"flag,omitempty"` // that sets it as well
	Value string `json:"value"`          // "" is nothing
	// From is "flag", "environment", "default", or the file that says it, relative to the checkout.
	From string `json:"from"`
}

// Show tells the settings.
func Show(s *session.Session, asJSON bool) error {
	all, err := settings(s)
	if err != nil {
		return err
	}
	if asJSON {
		return ui.WriteJSON(s.Streams.Out, "config", all)
	}
	rows := [][]string{{"SETTING", "FLAG", "VALUE", "FROM"}}
	for _, one := range all {
		rows = append(rows, []string{one.Name, ui.Dash(one.Flag), ui.Dash(one.Value), one.From})
	}
	return ui.Table(s.Streams.Out, rows)
}

func settings(s *session.Session) ([]Setting, error) {
	overrides, err := s.Overrides()
	if err != nil {
		return nil, err
	}
	edits, err := s.Edits().List()
	if err != nil {
		return nil, err
	}
	values, files, err := values(s)
	if err != nil {
		return nil, err
	}
	inFile := ofTable(overrides.Remote)
	all := []Setting{}
	for _, v := range environ.Variables() {
		one := Setting{Name: v.Name, Flag: v.Flag, Value: values[v.Name], From: s.Config.Given[v.Name]}
		switch given, ok := inFile[v.Name]; {
		case one.From != "":
		case ok:
			one.Value, one.From = given, s.Relative(s.Config.Overrides)
		case files[v.Name] != "":
			one.From = s.Relative(files[v.Name])
		default:
			one.From = "default"
		}
		if _, known := values[v.Name]; !known && one.From == "environment" {
			one.Value = s.Config.RemoteEnv[v.Name]
		} else if !known && one.From == "default" {
			one.Value = v.Default
		}
		if v.Name == environ.RemoteHeader && one.Value != "" {
			one.Value = "(not shown)" // it may be a secret
		}
		all = append(all, one)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Config.SourceDirs)) {
		all = append(all, Setting{Name: environ.SourcePrefix + name, Value: s.Config.SourceDirs[name], From: "environment"})
	}
	for _, name := range overrides.Sources() {
		all = append(all, Setting{Name: fmt.Sprintf("source.%q", name), Value: overrides.SourceText(name), From: s.Relative(s.Config.Overrides)})
	}
	mirrors := overrides.Mirrors()
	for _, from := range slices.Sorted(maps.Keys(mirrors)) {
		all = append(all, Setting{Name: fmt.Sprintf("mirror.%q", from), Value: mirrors[from], From: s.Relative(s.Config.Overrides)})
	}
	for _, url := range overrides.GitURLs() {
		all = append(all, Setting{Name: fmt.Sprintf("git.%q", url), Value: "replaced", From: s.Relative(s.Config.Overrides)})
	}
	for _, e := range edits {
		all = append(all, Setting{Name: fmt.Sprintf("source.%q", e.Recipe), Value: s.Relative(e.Dir), From: "mage edit"})
	}
	return all, nil
}

// values are those that the configuration has, by variable; files are where it has one from that no variable or flag gives.
func values(s *session.Session) (values, files map[string]string, err error) {
	c := s.Config
	tool := c.Toolchain
	if c.ToolchainName != "" {
		tool = c.ToolchainName
	}
	files = map[string]string{}
	if tool == "" {
		pin, err := toolchain.LoadPin(c.Pin())
		if err != nil {
			return nil, nil, err
		}
		tool, files["REDOX_TOOLCHAIN"] = "rustup's "+pin.Toolchain.Channel, c.Pin()
	}
	if c.Set != "" {
		files["REDOX_SET"] = filepath.Join(c.ToolchainDir(), "toolchain.toml")
	}
	sandbox := c.Sandbox
	if sandbox == "" {
		sandbox = "auto"
	}
	return map[string]string{
		"REDOX_TOOLCHAIN": tool, "REDOX_CACHE": c.Cache, "REDOX_TARGET": c.Target, "REDOX_SET": c.Set, "REDOX_OFFLINE": digit(c.Offline),
		"REDOX_JOBS": strconv.Itoa(c.Jobs), "REDOX_MEMORY": strconv.FormatInt(c.MemoryMiB, 10), "REDOX_DEBUG_INFO": digit(c.DebugInfo),
		"REDOX_KEEP_GOING": digit(c.KeepGoing), "REDOX_BACKEND": c.Backends, "REDOX_STD": c.Std, "REDOX_SANDBOX": sandbox,
		"REDOX_OVERRIDES": c.Overrides, "REDOX_REMOTE": c.Remote,
	}, files, nil
}

func digit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// ofTable is what [remote] of overrides.toml says, by the variables that would say the same.
func ofTable(table *remotesetting.Table) map[string]string {
	said := map[string]string{}
	if table == nil {
		return said
	}
	v := reflect.ValueOf(*table)
	for i := range v.NumField() {
		field := reflect.Indirect(v.Field(i))
		if !field.IsValid() || v.Field(i).Kind() != reflect.Pointer && field.IsZero() {
			continue
		}
		key := v.Type().Field(i).Tag.Get("toml")
		text := fmt.Sprint(field.Interface())
		switch field.Kind() {
		case reflect.Bool:
			text = digit(field.Bool())
		case reflect.Slice:
			text = strings.Join(field.Interface().([]string), "\n")
		}
		said[environ.RemotePrefix+strings.ToUpper(strings.ReplaceAll(key, "-", "_"))] = text
	}
	return said
}
