package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/show"
)

// teller writes the story, with what is being waited for below it.
type teller struct {
	w     io.Writer
	term  bool
	start time.Time
	now   *show.Progress
}

func newTeller(w io.Writer, term bool) *teller { return &teller{w: w, term: term, start: time.Now()} }

// wait says what is being waited for.
func (t *teller) wait(format string, args ...any) {
	if !t.term {
		return
	}
	t.stop()
	t.now = show.StartProgress(t.w, true, fmt.Sprintf(format, args...))
}

func (t *teller) stop() {
	if t.now != nil {
		t.now.Stop()
		t.now = nil
	}
}

// chapter begins a part of the story.
func (t *teller) chapter(format string, args ...any) {
	t.stop()
	fmt.Fprintf(t.w, "\n[%4.1f s] %s\n", time.Since(t.start).Seconds(), fmt.Sprintf(format, args...))
}

// say tells a sentence.
func (t *teller) say(format string, args ...any) {
	t.stop()
	fmt.Fprintf(t.w, "         %s\n", fmt.Sprintf(format, args...))
}
