package load

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is a picture of some lines over common values.
type Chart struct {
	Title, X, Y string
	Ticks       []string // names of the values, which stand evenly
	Lines       []Line
	Least       float64 // what the upright axis reaches at least
}

// Line is one of a chart's, with a point for each tick.
type Line struct {
	Name string
	Y    []float64
}

// The size of a chart.
const (
	chartWidth  = 12 * vg.Centimeter
	chartHeight = 7.5 * vg.Centimeter
	columns     = 2
	pad         = vg.Centimeter / 2

	// legendShare is how much of the height a name in the legend takes.
	legendShare = 0.1
)

// Charts are the pictures of a run: what was answered, how long that took, what
// was refused, and what was left of the limits, step by step.
func (r *Result) Charts() []Chart {
	var ticks []string
	for _, s := range r.Steps {
		ticks = append(ticks, strconv.Itoa(s.Value))
	}
	line := func(name string, of func(Step) float64) Line {
		l := Line{Name: name}
		for _, s := range r.Steps {
			l.Y = append(l.Y, of(s))
		}
		return l
	}
	share := func(n func(Report) int) func(Step) float64 {
		return func(s Step) float64 { return 100 * float64(n(s.Report)) / float64(max(s.Report.Asked, 1)) }
	}
	x := string(r.By)
	charts := []Chart{
		{"Answered", x, "requests per second", ticks, []Line{line("", func(s Step) float64 { return s.Report.PerSecond })}, 1},
		{"Time to the answer", x, "seconds", ticks, []Line{
			line("whole, p50", func(s Step) float64 { return s.Report.Took.P50 }), line("whole, p95", func(s Step) float64 { return s.Report.Took.P95 }),
			line("first token, p95", func(s Step) float64 { return s.Report.First.P95 }),
		}, 0.01},
		{"Not answered", x, "% of requests", ticks, []Line{
			line("429", share(func(r Report) int { return r.RateLimited })), line("529", share(func(r Report) int { return r.Overloaded })),
			line("other", share(func(r Report) int { return r.Failed })),
		}, 1},
	}
	left := Chart{"Lowest level of the limits", x, "% left", ticks, nil, 100}
	for _, l := range r.Limits {
		left.Lines = append(left.Lines, line(l.Limiter, func(s Step) float64 { return 100 * s.lowest(l.Limiter) }))
	}
	if left.Lines != nil {
		charts = append(charts, left)
	}
	return charts
}

// lowest is what was left of a limiter, of 1; all of it, if nothing was said.
func (s Step) lowest(limiter string) float64 {
	for _, l := range s.Limits {
		if l.Limiter == limiter {
			return l.Share
		}
	}
	return 1
}

// plot draws c.
func (c Chart) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	// The names stand beside their marks whatever letters a browser has for them.
	p.Legend.Top, p.Legend.Left = true, true
	for _, style := range []*text.Style{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle} {
		style.Font.Variant = "Sans"
	}
	p.Add(plotter.NewGrid())
	for i, l := range c.Lines {
		points := make(plotter.XYs, len(l.Y))
		for j, y := range l.Y {
			points[j] = plotter.XY{X: float64(j), Y: y}
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, fmt.Errorf("chart %q: %w", c.Title, err)
		}
		line.Color, line.Width, line.Dashes = plotutil.Color(i), vg.Points(1.5), plotutil.Dashes(i)
		marks.Color, marks.Shape = plotutil.Color(i), plotutil.Shape(i)
		p.Add(line, marks)
		if l.Name != "" {
			p.Legend.Add(l.Name, line, marks)
		}
	}
	room := 1.1 // above the highest point
	if len(c.Lines) > 1 {
		room += legendShare * float64(len(c.Lines))
	}
	p.Y.Min, p.Y.Max = 0, max(p.Y.Max, c.Least)*room
	p.X.Min, p.X.Max = -0.5, float64(len(c.Ticks))-0.5
	p.NominalX(c.Ticks...)
	return p, nil
}

// svg draws c as an element of a page. It is named by its title, and nothing in
// it points elsewhere.
func (c Chart) svg() (string, error) {
	p, err := c.plot()
	if err != nil {
		return "", err
	}
	canvas := vgsvg.New(chartWidth, chartHeight)
	p.Draw(draw.New(canvas))
	var out strings.Builder
	if _, err := canvas.WriteTo(&out); err != nil {
		return "", err
	}
	_, body, found := strings.Cut(out.String(), "<svg")
	_, body, closed := strings.Cut(body, ">")
	if !found || !closed {
		return "", fmt.Errorf("chart %q was not drawn", c.Title)
	}
	w, h := chartWidth.Points(), chartHeight.Points()
	return fmt.Sprintf(`<svg role="img" aria-label="%s" viewBox="0 0 %g %g">%s`, c.Title, w, h, body), nil
}

// WritePNG draws charts beside each other, two in a row.
func WritePNG(w io.Writer, charts []Chart) error {
	rows := (len(charts) + columns - 1) / columns
	if rows == 0 {
		return fmt.Errorf("there is nothing to draw")
	}
	grid := make([][]*plot.Plot, rows)
	for i := range grid {
		grid[i] = make([]*plot.Plot, columns)
	}
	for i, c := range charts {
		p, err := c.plot()
		if err != nil {
			return err
		}
		grid[i/columns][i%columns] = p
	}
	canvas := vgimg.New(columns*chartWidth, vg.Length(rows)*chartHeight)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: pad, PadY: pad, PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad}
	for i, row := range plot.Align(grid, tiles, draw.New(canvas)) {
		for j, part := range row {
			if grid[i][j] != nil {
				grid[i][j].Draw(part)
			}
		}
	}
	_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
	return err
}
