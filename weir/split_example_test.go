package weir_test

import (
	"fmt"

	"github.com/weir-gateway/weir/weir"
)

func ExampleSplitText() {
	text := "# One\n\nThe river rose in the night. Nobody slept.\n\n# Two\n\nIn the morning it fell.\n"
	for _, part := range weir.SplitText(text, weir.SplitBounds{Tokens: 20}) {
		fmt.Printf("%q\n", part.Text)
	}
	// Output:
	// "# One\n\nThe river rose in the night. Nobody slept.\n\n"
	// "# Two\n\nIn the morning it fell.\n"
}
