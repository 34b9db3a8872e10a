package docs

import (
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	p, err := Parse("p.md", strings.Join([]string{
		"text", "<!-- file: a.yaml -->", "```yaml", "a: 1", "```", "- in a list:", "  ```sh", "  weir serve", "  ```",
		"<!-- not run: it costs money -->", "", "```sh", "weir load", "```", "<!-- output -->", "```text", "x", "```",
		"<!-- not run: of the first only -->", "words", "```sh", "true", "```", "```", "drawing", "```",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []Block{
		{Line: 3, Kind: "yaml", Text: "a: 1\n", File: "a.yaml"},
		{Line: 7, Kind: "sh", Text: "weir serve\n"},
		{Line: 12, Kind: "sh", Text: "weir load\n", NotRun: "it costs money"},
		{Line: 16, Kind: "text", Text: "x\n", Output: true},
		{Line: 21, Kind: "sh", Text: "true\n"},
		{Line: 24, Text: "drawing\n"},
	}
	if !slices.Equal(p.Blocks, want) {
		t.Errorf("got %+v", p.Blocks)
	}
	for i, b := range p.Blocks {
		if fault := b.Fault(); (fault != "") != (i == 5) {
			t.Errorf("block %d: %q", i, fault)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no-end":          "```sh\ntrue",
		"unknown-comment": "<!-- skip -->\n```sh\ntrue\n```",
		"no-reason":       "<!-- not run: -->\n```sh\ntrue\n```",
		"outside":         "<!-- file: ../x -->\n```yaml\na: 1\n```",
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := Parse("p.md", text); err == nil {
				t.Errorf("took it: %+v", p.Blocks)
			}
		})
	}
}

func TestScript(t *testing.T) {
	h := House{Dir: "/box", Gateway: "127.0.0.1:1", Admin: "127.0.0.1:2", Sim: "127.0.0.1:3"}
	p, err := Parse("p.md", strings.Join([]string{
		"```sh", "curl http://127.0.0.1:8787 http://127.0.0.1:8788 /etc/weir/x", "```",
		"<!-- file: etc/weir/weir.yaml -->", "```yaml", "keys: [{name: a, key: env:A_KEY}, {name: b, key: file:/etc/weir/b}]", "```",
		"<!-- not run: no -->", "```sh", "rm -rf", "```", "```python", "print(1)", "```",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.TrimPrefix(h.Script(p), prelude)
	for _, want := range []string{
		"curl http://127.0.0.1:1 http://127.0.0.1:2 /box/etc/weir/x\n", "cat >\"etc/weir/weir.yaml\" <<",
		"local_env+=(A_KEY=", ">/box/etc/weir/b;", "try_configuration \"etc/weir/weir.yaml\"\n", "python3 block3.py\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
	if strings.Contains(got, "rm -rf") {
		t.Error("it runs what is not to be run")
	}
}

func TestGoBlocks(t *testing.T) {
	text, whole := program(Block{Text: "g, err := weir.New()\nif err != nil {\n\tlog.Fatal(err)\n}\n"})
	for _, want := range []string{`"github.com/weir-gateway/weir/weir"`, `"log"`, "\t_ = g\n"} {
		if whole || !strings.Contains(text, want) {
			t.Errorf("lacks %s:\n%s", want, text)
		}
	}
	b := Block{Text: "package main\n\nfunc main() {\n\tprintln()\n\t// Output:\n\t// a\n\t// b c\n}\n"}
	if _, whole := program(b); !whole || expected(b) != "a\nb c" {
		t.Errorf("expects %q", expected(b))
	}
}
