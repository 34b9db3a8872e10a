package rules

import (
	"encoding/json"
	"os"
	"time"

	"github.com/weir-gateway/weir/internal/files"
)

// memory is the set that was last in force, in a file, for a start while its
// source is out of reach. The zero memory remembers nothing.
type memory struct {
	file   string
	source string // whose rules these are; those of another are not recalled
}

// remembered is the file's JSON. Documents are kept as text, byte for byte.
type remembered struct {
	Source    string            `json:"source"`
	At        time.Time         `json:"at"`
	Documents map[string]string `json:"documents"`
}

// write replaces the file as a whole, so that a crash leaves the old or the
// new one.
func (m memory) write(set Set) error {
	if m.file == "" {
		return nil
	}
	r := remembered{Source: m.source, At: time.Now().UTC(), Documents: map[string]string{}}
	for name, data := range set {
		r.Documents[name] = string(data)
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(m.file, data)
}

// read returns the remembered set and when it came, or no set if there is
// none of this source.
func (m memory) read() (Set, time.Time, error) {
	if m.file == "" {
		return nil, time.Time{}, nil
	}
	data, err := os.ReadFile(m.file)
	if os.IsNotExist(err) {
		return nil, time.Time{}, nil
	}
	var r remembered
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil || r.Source != m.source {
		return nil, time.Time{}, err
	}
	set := Set{}
	for name, text := range r.Documents {
		set[name] = []byte(text)
	}
	return set, r.At, nil
}
