package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weir-gateway/weir/internal/schema"
)

// The origins of values, the later before the earlier.
const (
	FromProfile     = "profile"
	FromFile        = "file"
	FromEnvironment = "environment"
	FromFlag        = "flag"
)

// Sources are where a configuration comes from. All but Getenv may be missing.
type Sources struct {
	File    string
	Profile string // of a flag, before that of the environment and of the file
	Getenv  func(string) string
	Flags   func(*Config) // sets what flags say
	Set     []string      // assignments such as queue.at_once=5, of flags
}

// Load reads the file, if one is named, and the environment over the defaults.
// getenv is normally os.Getenv.
func Load(file string, getenv func(string) string) (Config, error) {
	return Sources{File: file, Getenv: getenv}.Load()
}

// Load puts the sources over each other. The result has yet to be checked, by
// [Config.Check].
func (s Sources) Load() (Config, error) {
	return s.load(func(string, Config) error { return nil })
}

// load tells step of the configuration after each source.
func (s Sources) load(step func(origin string, c Config) error) (Config, error) {
	c := Defaults()
	if err := step("", c); err != nil {
		return c, err
	}
	file, err := s.readFile()
	if err != nil {
		return c, err
	}
	named := glance(file)
	profile := cmp.Or(s.Profile, s.Getenv("WEIR_PROFILE"), named.Profile)
	for _, source := range []struct {
		origin string
		apply  func() error
	}{
		{FromProfile, func() error { return c.layProfile(profile) }},
		{FromFile, func() error { return c.layFile(s.File, file) }},
		{FromEnvironment, func() error {
			c.layEnvironment(s.Getenv)
			c.chooseUpstream(named.Upstream != "" || s.Getenv("WEIR_UPSTREAM") != "")
			return c.set("WEIR_SET", strings.Split(s.Getenv("WEIR_SET"), "\n"))
		}},
		{FromFlag, func() error {
			s.layFlags(&c)
			return c.set("--set", s.Set)
		}},
	} {
		if err := source.apply(); err != nil {
			return c, err
		}
		if err := step(source.origin, c); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (s Sources) readFile() ([]byte, error) {
	if s.File == "" {
		return nil, nil
	}
	data, err := os.ReadFile(s.File)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return data, nil
}

// first are the keys that matter before the file is read in earnest.
type first struct {
	Profile  string `yaml:"profile"`
	Upstream string `yaml:"upstream"`
}

// glance reads them, and leaves it to layFile to find the file's faults.
func glance(file []byte) (f first) {
	_ = yaml.Unmarshal(file, &f)
	if _, known := profiles[f.Profile]; !known {
		f.Profile = ""
	}
	return f
}

func (c *Config) layProfile(name string) error {
	if name == "" {
		return nil
	}
	text, err := ProfileText(name)
	if err != nil {
		return err
	}
	return schema.Decode("profile "+name, text, c)
}

func (c *Config) layFile(name string, data []byte) error {
	if name == "" {
		return nil
	}
	if err := schema.Decode(name, data, c); err != nil {
		return err
	}
	beside(name, &c.Breaker.Rules, &c.Ledger.Prices, &c.Load.Scenario)
	return nil
}

// beside makes relative names ones of the configuration's folder.
func beside(file string, names ...*string) {
	for _, name := range names {
		if *name != "" && !filepath.IsAbs(*name) {
			*name = filepath.Join(filepath.Dir(file), *name)
		}
	}
}

func (c *Config) layEnvironment(getenv func(string) string) {
	for name, field := range map[string]*string{
		"WEIR_LISTEN": &c.Listen, "WEIR_ADMIN": &c.Admin, "WEIR_UPSTREAM": &c.Upstream,
		"WEIR_DATA": &c.Data, "WEIR_PROFILE": &c.Profile,
	} {
		if v := getenv(name); v != "" {
			*field = v
		}
	}
	if len(c.Keys) == 0 && getenv("ANTHROPIC_API_KEY") != "" {
		c.Keys = []Key{{Name: "ANTHROPIC_API_KEY", Key: "env:ANTHROPIC_API_KEY"}}
	}
	if c.AdminToken == "" && getenv("WEIR_ADMIN_TOKEN") != "" {
		c.AdminToken = "env:WEIR_ADMIN_TOKEN"
	}
}

func (s Sources) layFlags(c *Config) {
	c.Profile = cmp.Or(s.Profile, c.Profile)
	if s.Flags != nil {
		s.Flags(c)
	}
}

// chooseUpstream takes the API for the profile's simulator where there are keys
// for it, unless the simulator is asked for by name.
func (c *Config) chooseUpstream(asked bool) {
	if c.Upstream == Simulator && len(c.Keys) > 0 && !asked {
		c.Upstream = theAPI
	}
}
