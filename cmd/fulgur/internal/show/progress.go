package show

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress tells what is being waited for. On a terminal it is one line that is
// written over, with the seconds gone by, from the first second on; elsewhere each
// step is a line of its own.
type Progress struct {
	w    io.Writer
	term bool

	mu    sync.Mutex
	text  string
	shown bool
	start time.Time
	stop  chan struct{}
	done  chan struct{}
}

// StartProgress begins to tell; the first text is shown on terminals only. Call Stop
// before anything else is printed.
func StartProgress(w io.Writer, term bool, text string) *Progress {
	p := &Progress{w: w, term: term, text: text, start: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	go p.run()
	return p
}

func (p *Progress) run() {
	defer close(p.done)
	if !p.term {
		<-p.stop
		return
	}
	wait := time.NewTicker(time.Second / 8)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
			p.draw()
		case <-p.stop:
			p.clear()
			return
		}
	}
}

// Step says what is waited for now.
func (p *Progress) Step(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := Clean(fmt.Sprintf(format, args...))
	if text == p.text {
		return
	}
	p.text = text
	if !p.term {
		fmt.Fprintln(p.w, text)
	}
}

var wheel = []rune(`|/-\`)

func (p *Progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := time.Since(p.start)
	if gone < time.Second || p.text == "" {
		return
	}
	p.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%c %s (%d s)", wheel[int(gone/(time.Second/8))%len(wheel)], p.text, int(gone.Seconds()))
}

func (p *Progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// Stop ends it and leaves a clean line. It may be called again.
func (p *Progress) Stop() {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.mu.Unlock()
	<-p.done
}
