package metrics

import (
	"bytes"
	"io"
	"strconv"
	"strings"
)

// Kind is what Prometheus may do with a figure.
type Kind string

// The kinds.
const (
	IsGauge     Kind = "gauge"     // goes up and down
	IsCounter   Kind = "counter"   // only goes up, until a restart
	IsHistogram Kind = "histogram" // counts in classes
)

// Family is a figure, or several that differ in their labels.
type Family struct {
	Name   string
	Kind   Kind
	Labels string // the names of its labels, for people
	Help   string // one line
}

// Page is one answer to Prometheus. All figures of a family come one after the other.
type Page struct {
	families map[string]Family
	b        bytes.Buffer
	last     string
}

// NewPage makes a page on which only these families may stand.
func NewPage(families []Family) *Page {
	p := &Page{families: map[string]Family{}}
	for _, f := range families {
		p.families[f.Name] = f
	}
	return p
}

// Put writes a figure; labels are names and values in turn. A name that is not one of the
// page's families is a mistake in the code.
func (p *Page) Put(name string, value float64, labels ...string) {
	p.begin(name)
	p.line(name, labels, strconv.FormatFloat(value, 'g', -1, 64))
}

// Histogram writes the classes of a histogram, its sum in seconds and its count.
func (p *Page) Histogram(name string, h *Histogram, labels ...string) {
	p.begin(name)
	count := uint64(0)
	for i := range h.counts {
		count += h.counts[i].Load()
		le := "+Inf"
		if i < len(h.bounds) {
			le = strconv.FormatFloat(h.bounds[i].Seconds(), 'g', -1, 64)
		}
		p.line(name+"_bucket", append(labels[:len(labels):len(labels)], "le", le), strconv.FormatUint(count, 10))
	}
	p.line(name+"_sum", labels, strconv.FormatFloat(float64(h.sum.Load())/1e9, 'g', -1, 64))
	p.line(name+"_count", labels, strconv.FormatUint(count, 10))
}

func (p *Page) begin(name string) {
	f, ok := p.families[name]
	if !ok {
		panic("metrics: " + name + " is not one of the families")
	}
	if name == p.last {
		return
	}
	p.last = name
	p.b.WriteString("# HELP " + name + " " + escape(f.Help, false) + "\n# TYPE " + name + " " + string(f.Kind) + "\n")
}

func (p *Page) line(name string, labels []string, value string) {
	p.b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		p.b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		p.b.WriteString(labels[i] + `="` + escape(labels[i+1], true) + `"`)
	}
	if len(labels) > 0 {
		p.b.WriteByte('}')
	}
	p.b.WriteString(" " + value + "\n")
}

// escape is what the text form asks for in help texts and in the values of labels.
func escape(text string, quoted bool) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), "\n", `\n`)
	if quoted {
		text = strings.ReplaceAll(text, `"`, `\"`)
	}
	return text
}

// WriteTo implements io.WriterTo.
func (p *Page) WriteTo(w io.Writer) (int64, error) { return p.b.WriteTo(w) }
