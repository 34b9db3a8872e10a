package load

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

// Page is a report that stands alone: one HTML file with its pictures in it.
type Page struct {
	Title  string
	Lines  []string // what there is to say
	Head   []string // of the table
	Rows   [][]string
	Charts []Chart
}

//go:embed page.html
var pageText string

// WriteHTML writes the page. It asks for nothing from elsewhere, and forbids
// itself to.
func (p Page) WriteHTML(w io.Writer) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return fmt.Errorf("the page's form: %w", err)
	}
	data := struct {
		Page
		Pictures []template.HTML
	}{Page: p}
	for _, c := range p.Charts {
		svg, err := c.svg()
		if err != nil {
			return err
		}
		data.Pictures = append(data.Pictures, template.HTML(svg)) // our own words and numbers
	}
	return t.Execute(w, data)
}
