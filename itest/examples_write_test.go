package itest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// trimmed leaves out of new answers what the old ones left out.
func trimmed(t *testing.T, said, answer []string) (list []string) {
	t.Helper()
	for i, text := range answer {
		var old, now any
		require.NoError(t, json.Unmarshal([]byte(text), &now))
		if i < len(said) {
			require.NoError(t, json.Unmarshal([]byte(said[i]), &old))
			now = trim(old, now)
		}
		list = append(list, ordered(text, now))
	}
	return list
}

func trim(old, now any) any {
	switch now := now.(type) {
	case map[string]any:
		was, ok := old.(map[string]any)
		if _, some := was["..."]; ok && some {
			maps.DeleteFunc(now, func(name string, _ any) bool { _, kept := was[name]; return !kept })
			now["..."] = "..."
		}
		for name := range now {
			now[name] = trim(was[name], now[name])
		}
	case []any:
		was, _ := old.([]any)
		now = now[:min(1, len(now))] // one shows the form
		if len(was) > 0 && len(now) > 0 {
			now[0] = trim(was[0], now[0])
		}
		return now
	}
	return now
}

// ordered writes a value with its fields in the order of the text that it was read from.
func ordered(text string, value any) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var b strings.Builder
	writeOrdered(&b, json.RawMessage(text), value, "")
	return b.String()
}

func writeOrdered(b *strings.Builder, text json.RawMessage, value any, indent string) {
	switch value := value.(type) {
	case map[string]any:
		d := json.NewDecoder(bytes.NewReader(text))
		_, _ = d.Token()
		b.WriteByte('{')
		first := true
		field := func(name string, raw json.RawMessage) {
			if !first {
				b.WriteString(",")
			}
			if indent == "" {
				b.WriteString("\n  ")
			} else if !first {
				b.WriteString(" ")
			}
			first = false
			fmt.Fprintf(b, "%q: ", name)
			writeOrdered(b, raw, value[name], " ")
		}
		for d.More() {
			name, _ := d.Token()
			var raw json.RawMessage
			_ = d.Decode(&raw)
			if _, kept := value[name.(string)]; kept {
				field(name.(string), raw)
			}
		}
		if _, some := value["..."]; some {
			field("...", json.RawMessage(`"..."`))
		}
		if indent == "" && !first {
			b.WriteString("\n")
		}
		b.WriteByte('}')
	case []any:
		var raws []json.RawMessage
		_ = json.Unmarshal(text, &raws)
		b.WriteByte('[')
		for i := range value {
			if i > 0 {
				b.WriteString(", ")
			}
			writeOrdered(b, raws[i], value[i], " ")
		}
		b.WriteByte(']')
	case string:
		fmt.Fprintf(b, "%q", short(value))
	default:
		b.Write(bytes.TrimSpace(text))
	}
}

// short cuts what nobody reads.
func short(text string) string {
	if len(text) > 130 && !strings.Contains(text, " ") {
		return text[:16] + "..."
	}
	return text
}

// rewritten is the document with other answers.
func rewritten(document string, list []example) []byte {
	blocks := strings.Split(document, "\n\n")
	var out []string
	next := 0
	for i, block := range blocks {
		if strings.HasPrefix(strings.Trim(block, "\n"), "    ") && i > 0 && strings.HasPrefix(strings.Trim(blocks[i-1], "\n"), "    curl ") &&
			!strings.HasPrefix(strings.Trim(block, "\n"), "    curl ") {
			continue // the old answer
		}
		out = append(out, strings.Trim(block, "\n"))
		if strings.HasPrefix(strings.Trim(block, "\n"), "    curl ") {
			e := list[next]
			next++
			text := fmt.Sprintf("%d\n%s", e.status, strings.Join(e.answer, "\n"))
			out = append(out, "    "+strings.ReplaceAll(text, "\n", "\n    "))
		}
	}
	return []byte("\n" + strings.TrimLeft(strings.Join(out, "\n\n"), "\n") + "\n")
}
