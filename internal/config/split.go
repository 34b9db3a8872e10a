package config

// Split says what becomes of requests that are too long and whose callers allow
// them to be split (weir-split).
type Split struct {
	Merge    string `yaml:"merge,omitempty" jsonschema:"enum=reduce,enum=concat,enum=list,description=how the parts' answers become one for callers that do not say; default reduce"`
	Above    int64  `yaml:"above,omitempty" jsonschema:"minimum=1,description=split requests of more input tokens as well; default: only what exceeds the model's window or the whole input bucket"`
	Part     int64  `yaml:"part,omitempty" jsonschema:"minimum=1,description=tokens of a part's text at most; default: what window and bucket allow"`
	Overlap  int64  `yaml:"overlap,omitempty" jsonschema:"minimum=0,description=tokens that a part repeats of the one before at most"`
	Class    string `yaml:"class,omitempty" jsonschema:"enum=caller,enum=batch,description=class in which the parts wait; default caller: that of the request"`
	Parallel int    `yaml:"parallel,omitempty" jsonschema:"minimum=1,description=parts of one request that are under way at once; default 8"`
	MaxParts int    `yaml:"max_parts,omitempty" jsonschema:"minimum=1,description=a request that would have more parts is refused; default 1000"`
}
