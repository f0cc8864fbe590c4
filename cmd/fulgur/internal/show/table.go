package show

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Table is rows under a headline; it prints with aligned columns.
type Table struct {
	head  []string
	right []bool
	rows  [][]string
}

// NewTable makes a table with these columns; a name that ends in ">" is aligned to
// the right, as numbers are.
func NewTable(columns ...string) *Table {
	t := &Table{}
	for _, c := range columns {
		name, right := strings.CutSuffix(c, ">")
		t.head = append(t.head, strings.ToUpper(name))
		t.right = append(t.right, right)
	}
	return t
}

// Row adds a row, one cell for each column. Cells hold what other people chose, such
// as names and errors: what could drive a terminal is taken out.
func (t *Table) Row(cells ...string) {
	row := make([]string, len(t.head))
	for i := range row {
		if i < len(cells) {
			row[i] = Clean(cells[i])
		}
	}
	t.rows = append(t.rows, row)
}

// Print writes the table, or says that it is empty.
func (t *Table) Print(w io.Writer) {
	if len(t.rows) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range append([][]string{t.head}, t.rows...) {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// Pairs are names with values, one below the other.
type Pairs [][2]string

// Add appends a pair; an empty value is left out.
func (p *Pairs) Add(name, value string) {
	if value != "" {
		*p = append(*p, [2]string{name, Clean(value)})
	}
}

// Print writes the pairs with their values aligned.
func (p Pairs) Print(w io.Writer) {
	width := 0
	for _, pair := range p {
		width = max(width, utf8.RuneCountInString(pair[0]))
	}
	for _, pair := range p {
		fmt.Fprintf(w, "%-*s  %s\n", width, pair[0], pair[1])
	}
}

// Clean takes out what could drive a terminal.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
}
