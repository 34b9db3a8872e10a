package sentinel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/alibaba/sentinel-golang/core/flow"
	"github.com/alibaba/sentinel-golang/core/hotspot"
	"github.com/alibaba/sentinel-golang/core/isolation"
	"github.com/alibaba/sentinel-golang/core/system"

	"github.com/weir-gateway/weir/internal/breaker"
)

// The files of rules, one for each kind.
const (
	flowFile      = "flow.json"
	isolationFile = "isolation.json"
	hotspotFile   = "hotspot.json"
	systemFile    = "system.json"
	breakerFile   = "circuitbreaker.json"
)

var ruleFiles = []string{flowFile, isolationFile, hotspotFile, systemFile, breakerFile}

// Rules are Sentinel's rules of every kind. The resources that they name are
// "*" for every call, "class/" with interactive, normal or batch, and "model/"
// with a model's name. Hot parameters are tenant (index 0), key (1), the
// fingerprint of the caller's credential, and session (2). System rules name
// no resource: they only ever refuse calls of the class batch.
type Rules struct {
	Flow      []flow.Rule
	Isolation []isolation.Rule
	Hotspot   []hotspot.Rule // the keys of their SpecificItems are strings
	System    []system.Rule
	// CircuitBreaker is the file of circuit-breaking rules as it was read, for
	// the breaker of the gateway; nil if there was none.
	CircuitBreaker []byte
}

// ParseRules reads the rules of the files of these names: flow.json,
// isolation.json, hotspot.json, system.json and circuitbreaker.json, each of
// which may be missing. Unknown files and fields are errors, and all faults are
// told at once.
func ParseRules(files map[string][]byte) (Rules, error) {
	var r Rules
	var errs []error
	for _, file := range slices.Sorted(maps.Keys(files)) {
		data := files[file]
		var err error
		switch file {
		case flowFile:
			r.Flow, err = flowKind.parse(data)
		case isolationFile:
			r.Isolation, err = isolationKind.parse(data)
		case hotspotFile:
			r.Hotspot, err = hotspotKind.parse(data)
		case systemFile:
			r.System, err = systemKind.parse(data)
		case breakerFile:
			r.CircuitBreaker, err = data, checkBreaker(data)
		default:
			err = fmt.Errorf("%s: no file of rules has this name: it is one of %s", file, strings.Join(ruleFiles, ", "))
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Rules{}, err
	}
	return r, nil
}

// check reports all faults of the rules at once.
func (r Rules) check() error {
	return errors.Join(
		flowKind.check(r.Flow, nil), isolationKind.check(r.Isolation, nil),
		hotspotKind.check(r.Hotspot, nil), systemKind.check(r.System, nil),
	)
}

// checkBreaker checks rules that are not this package's.
func checkBreaker(data []byte) error {
	if _, err := breaker.Parse(data); err != nil {
		return fmt.Errorf("%s: %w", breakerFile, err)
	}
	return nil
}

// kind is what the rules of one file have in common.
type kind[T any] struct {
	file   string
	decode func(json.RawMessage) (T, error)
	name   func(T) string   // for people
	faults func(T) []string // what is wrong with it
	key    func(T) string   // what it does, without its name
}

var (
	flowKind      = kind[flow.Rule]{flowFile, decode[flow.Rule], flowName, flowFaults, flowKey}
	isolationKind = kind[isolation.Rule]{isolationFile, decode[isolation.Rule], isolationName, isolationFaults, isolationKey}
	hotspotKind   = kind[hotspot.Rule]{hotspotFile, decodeHotspot, hotspotName, hotspotFaults, hotspotKey}
	systemKind    = kind[system.Rule]{systemFile, decode[system.Rule], systemName, systemFaults, systemKey}
)

// parse reads a file of rules and checks them.
func (k kind[T]) parse(data []byte) ([]T, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%s: it is empty: write [] if there shall be no rules", k.file)
	}
	var list []json.RawMessage
	if err := strict(data, &list); err != nil {
		return nil, fmt.Errorf("%s: %w", k.file, err)
	}
	rules, unread := make([]T, len(list)), map[int]error{}
	for i, raw := range list {
		var err error
		if rules[i], err = k.decode(raw); err != nil {
			unread[i] = err
		}
	}
	return rules, k.check(rules, unread)
}

// maxRules bounds the rules of one kind. Each of them costs calls time.
const maxRules = 1000

// check reports the faults of the rules of one kind, and those that could not
// be read. No two may have one name, or say the same: a refusal could not tell
// which of them it was.
func (k kind[T]) check(rules []T, unread map[int]error) error {
	if len(rules) > maxRules {
		return fmt.Errorf("%s: %d rules, at most %d are taken", k.file, len(rules), maxRules)
	}
	var errs []error
	names, keys := map[string]int{}, map[string]int{}
	for i, r := range rules {
		if err := unread[i]; err != nil {
			errs = append(errs, fmt.Errorf("%s: rule %d: %w", k.file, i, err))
			continue
		}
		name, key := k.name(r), k.key(r)
		list := k.faults(r)
		if first, twice := keys[key]; twice {
			list = append(list, fmt.Sprintf("it says the same as rule %d: remove one of them", first))
		} else if first, twice := names[name]; twice {
			list = append(list, fmt.Sprintf("rule %d has the same name: give them different ids", first))
		} else {
			keys[key], names[name] = i, i
		}
		for _, fault := range list {
			errs = append(errs, fmt.Errorf("%s: rule %d (%s): %s", k.file, i, name, fault))
		}
	}
	return errors.Join(errs...)
}

func decode[T any](raw json.RawMessage) (T, error) {
	var r T
	err := strict(raw, &r)
	return r, err
}

// strict reads one JSON value, all of it, and no field that it does not know.
func strict(data []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the JSON value")
	}
	return nil
}

// hotspotRule is the JSON of a hot-parameter rule. Sentinel's own type cannot
// be decoded, because it has a map with keys of any type.
type hotspotRule struct {
	ID                string                  `json:"id"`
	Resource          string                  `json:"resource"`
	MetricType        hotspot.MetricType      `json:"metricType"`
	ControlBehavior   hotspot.ControlBehavior `json:"controlBehavior"`
	ParamIndex        int                     `json:"paramIndex"`
	ParamKey          string                  `json:"paramKey"`
	Threshold         int64                   `json:"threshold"`
	MaxQueueingTimeMs int64                   `json:"maxQueueingTimeMs"`
	BurstCount        int64                   `json:"burstCount"`
	DurationInSec     int64                   `json:"durationInSec"`
	ParamsMaxCapacity int64                   `json:"paramsMaxCapacity"`
	SpecificItems     specificItems           `json:"specificItems"`
}

func decodeHotspot(raw json.RawMessage) (hotspot.Rule, error) {
	r, err := decode[hotspotRule](raw)
	return hotspot.Rule{
		ID: r.ID, Resource: r.Resource, MetricType: r.MetricType, ControlBehavior: r.ControlBehavior,
		ParamIndex: r.ParamIndex, ParamKey: r.ParamKey, Threshold: r.Threshold,
		MaxQueueingTimeMs: r.MaxQueueingTimeMs, BurstCount: r.BurstCount, DurationInSec: r.DurationInSec,
		ParamsMaxCapacity: r.ParamsMaxCapacity, SpecificItems: r.SpecificItems,
	}, err
}

// specificItems are thresholds of single values. Sentinel's dashboards write a
// list of {valKind, valStr, threshold}; people may write {"value": threshold}.
// All values here are strings, whatever kind a dashboard takes them for.
type specificItems map[any]int64

// UnmarshalJSON implements [json.Unmarshaler].
func (s *specificItems) UnmarshalJSON(data []byte) error {
	out := specificItems{}
	var plain map[string]int64
	if err := strict(data, &plain); err == nil {
		for value, threshold := range plain {
			out[value] = threshold
		}
		*s = out
		return nil
	}
	var list []struct {
		Kind      int    `json:"valKind"`
		Value     string `json:"valStr"`
		Threshold int64  `json:"threshold"`
	}
	if err := strict(data, &list); err != nil {
		return fmt.Errorf(`specificItems: write {"value": threshold} or [{"valKind": 1, "valStr": "value", "threshold": 1}]: %w`, err)
	}
	for _, item := range list {
		if _, twice := out[item.Value]; twice {
			return fmt.Errorf("specificItems: %q stands there twice", item.Value)
		}
		out[item.Value] = item.Threshold
	}
	*s = out
	return nil
}
