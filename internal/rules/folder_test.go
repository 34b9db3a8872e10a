package rules_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/rules"
)

// shelf is a folder of rules and whoever takes them over.
type shelf struct {
	*testing.T
	*taker
	dir string
	src *rules.Folder
}

func (s *shelf) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shelf) write(name, text string) {
	s.Helper()
	s.must(os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600))
}

func (s *shelf) replace(name, text string) {
	s.Helper()
	s.write("."+name+".tmp", text)
	s.must(os.Rename(filepath.Join(s.dir, "."+name+".tmp"), filepath.Join(s.dir, name)))
}

func (s *shelf) remove(name string) {
	s.Helper()
	s.must(os.RemoveAll(filepath.Join(s.dir, name)))
}

func TestFolder(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files set
		do    func(*shelf)
	}{
		{"written", set{}, func(s *shelf) {
			s.write("flow.json", `[1]`)
			s.wants(s.T, set{"flow.json": `[1]`})
		}},
		{"two-at-once", set{}, func(s *shelf) {
			s.write("flow.json", `[1]`)
			s.write("system.json", `[2]`)
			s.wants(s.T, set{"flow.json": `[1]`, "system.json": `[2]`})
		}},
		{"replaced", set{"flow.json": `[1]`}, func(s *shelf) {
			for _, text := range []string{`[2]`, `[3]`} {
				s.replace("flow.json", text)
				s.wants(s.T, set{"flow.json": text})
			}
		}},
		{"moved-away-and-back", set{"flow.json": `[1]`}, func(s *shelf) { // as vim does
			s.must(os.Rename(filepath.Join(s.dir, "flow.json"), filepath.Join(s.dir, "flow.json~")))
			s.write("flow.json", `[2]`)
			s.wants(s.T, set{"flow.json": `[2]`})
		}},
		{"removed", set{"flow.json": `[1]`, "hotspot.json": `[]`}, func(s *shelf) {
			s.remove("flow.json")
			s.wants(s.T, set{"hotspot.json": `[]`})
		}},
		{"half-written", set{"flow.json": `[1]`}, func(s *shelf) {
			s.write("flow.json", `[{"resource"`)
			s.logged(s.T, "the old ones stay", "flow.json", "unexpected end")
			s.write("isolation.json", `[]`) // not without the other
			s.write("flow.json", `[2]`)
			s.wants(s.T, set{"flow.json": `[2]`, "isolation.json": `[]`})
		}},
		{"empty-file", set{"flow.json": `[1]`}, func(s *shelf) {
			s.write("flow.json", "")
			s.logged(s.T, "the old ones stay", "flow.json")
		}},
		{"refused-once", set{"flow.json": `[1]`}, func(s *shelf) {
			s.write("flow.json", bad)
			s.logged(s.T, "the old ones stay", "a bad rule")
			if err := s.src.Err(); err == nil || !strings.Contains(err.Error(), "a bad rule") {
				s.Errorf("its state is %v", err)
			}
			s.write("flow.json", bad)
			s.write("strange.json", `[]`) // it has been read again
			s.logged(s.T, "strange.json")
			s.src.Reload() // who asks is told again
			s.logged(s.T, "the old ones stay")
			s.write("flow.json", `[2]`)
			s.wants(s.T, set{"flow.json": `[2]`})
			s.write("strange.json", `[1]`)
			s.write("flow.json", `[3]`)
			s.wants(s.T, set{"flow.json": `[3]`})
			if err := s.src.Err(); err != nil {
				s.Errorf("its state is %v", err)
			}
		}},
		{"what-editors-leave", set{"flow.json": `[1]`}, func(s *shelf) {
			s.must(os.Symlink("nobody@nowhere:1", filepath.Join(s.dir, ".#flow.json"))) // a lock of Emacs
			s.write(".flow.json.swp", "vim")
			s.write("#flow.json#", "Emacs")
			s.write("README.md", "#")
			s.write("flow.json", `[2]`)
			s.wants(s.T, set{"flow.json": `[2]`})
		}},
		{"too-large", set{"flow.json": `[1]`}, func(s *shelf) {
			s.write("flow.json", strings.Repeat(" ", 1<<20)+"[]")
			s.logged(s.T, "flow.json: more than")
		}},
		{"a-folder-of-that-name", set{}, func(s *shelf) {
			s.must(os.Mkdir(filepath.Join(s.dir, "flow.json"), 0o700))
			s.logged(s.T, "flow.json is no file")
		}},
		{"folder-replaced", set{"flow.json": `[1]`}, func(s *shelf) {
			next := s.dir + ".next"
			s.must(os.Mkdir(next, 0o700))
			s.must(os.WriteFile(filepath.Join(next, "flow.json"), []byte(`[2]`), 0o600))
			s.must(os.Rename(s.dir, s.dir+".old"))
			s.must(os.Rename(next, s.dir))
			s.wants(s.T, set{"flow.json": `[2]`})
			s.write("flow.json", `[3]`) // the new folder is watched
			s.wants(s.T, set{"flow.json": `[3]`})
		}},
		{"folder-removed-and-back", set{"flow.json": `[1]`}, func(s *shelf) {
			s.write("flow.json", `[0]`)
			s.wants(s.T, set{"flow.json": `[0]`}) // it is watched
			s.must(os.RemoveAll(s.dir))
			s.logged(s.T, "the old ones stay", "no such file")
			s.must(os.Mkdir(s.dir, 0o700))
			s.write("flow.json", `[2]`)
			s.wants(s.T, set{"flow.json": `[2]`})
			s.write("flow.json", `[3]`)
			s.wants(s.T, set{"flow.json": `[3]`})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{T: t, taker: newTaker(), dir: filepath.Join(t.TempDir(), "rules")}
			s.must(os.Mkdir(s.dir, 0o700))
			for name, text := range tt.files {
				s.write(name, text)
			}
			s.open()
			s.wants(t, tt.files)
			tt.do(s)
		})
	}
}

func (s *shelf) open() {
	s.Helper()
	src, err := rules.NewFolder(s.dir, s.apply, s.log())
	s.must(err)
	s.src = src
	running(s.T, src)
}

// TestConfigMap: Kubernetes puts a symbolic link in the place of another, and
// removes the folder that the old one led to.
func TestConfigMap(t *testing.T) {
	s := &shelf{T: t, taker: newTaker(), dir: t.TempDir()}
	publish := func(version, text string) {
		t.Helper()
		s.must(os.Mkdir(filepath.Join(s.dir, version), 0o700))
		s.write(filepath.Join(version, "flow.json"), text)
		s.must(os.Symlink(version, filepath.Join(s.dir, "..data_tmp")))
		s.must(os.Rename(filepath.Join(s.dir, "..data_tmp"), filepath.Join(s.dir, "..data")))
	}
	publish("..2026_1", `[1]`)
	s.must(os.Symlink(filepath.Join("..data", "flow.json"), filepath.Join(s.dir, "flow.json")))
	s.open()
	s.wants(t, set{"flow.json": `[1]`})
	publish("..2026_2", `[2]`)
	s.remove("..2026_1")
	s.wants(t, set{"flow.json": `[2]`})
	publish("..2026_3", `[3]`)
	s.wants(t, set{"flow.json": `[3]`})
}

func TestFolderRefusesToStart(t *testing.T) {
	for name, files := range map[string]set{
		"missing": nil,
		"broken":  {"flow.json": `[`},
		"bad":     {"flow.json": bad},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{T: t, taker: newTaker(), dir: filepath.Join(t.TempDir(), "rules")}
			if files != nil {
				s.must(os.Mkdir(s.dir, 0o700))
			}
			for name, text := range files {
				s.write(name, text)
			}
			src, err := rules.NewFolder(s.dir, s.apply, s.log())
			s.must(err)
			if err := src.Start(t.Context()); err == nil || !strings.Contains(err.Error(), s.dir) {
				t.Errorf("it starts: %v", err)
			}
		})
	}
}
