package logs

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
)

// Key is the attribute by which a logger says its subsystem.
const Key = "sys"

// Main is the subsystem of lines that name none.
const Main = "LTND"

// Levels below and above those of slog.
const (
	LevelTrace    = slog.LevelDebug - 4
	LevelCritical = slog.LevelError + 4
	levelOff      = slog.Level(99)
)

// Subsystems are the names by which levels are set: lnd's, where a part of this node does
// the same.
var Subsystems = map[string]string{
	Main: "the daemon: start, end, options", "SRVR": "the node: what belongs to nothing else", "RPCS": "gRPC and REST",
	"PEER": "connections to peers", "DISC": "gossip", "HSWC": "channels and the switch between them", "FNDG": "channels that are opened",
	"CNCT": "channels that end on the chain", "INVC": "invoices", "CRTR": "our own payments", "SWPR": "claims and sweeps",
	"LNWL": "the wallet and what it publishes", "NTFN": "the chain", "CHBU": "static channel backups", "TORC": "Tor",
	"HLCK": "health checks", "CHDB": "the database", "PROM": "metrics",
}

// foreign are subsystems of lnd that no part of this node matches: a level for one is
// taken, and nothing comes of it.
const foreign = " ATPL ACSM BTCN CMGR AMGR SQLB UTXN BRAR SGNR WLKT ARPC NRPC DRPC NANN WTWR NTFR IRPC CHNF CHST WTCL PRNF CHFD CHCL LCHN PFSM " +
	"RRPC CHFT VRPC CHRE CHAC CLUS RPCP BTWL RPWL PRPC GRPH LNCF BLPT GRDB CHIO MSGX SQLD ONMP NTRS LTCN TRCN "

// Levels are the levels of all subsystems. They may be read and set by several goroutines.
type Levels struct {
	of             map[string]*slog.LevelVar
	warnings, errs atomic.Uint64
}

// Seen is how many lines were logged as warnings, and as errors or worse.
func (l *Levels) Seen() (warnings, errs uint64) { return l.warnings.Load(), l.errs.Load() }

// NewLevels are those of a quiet node: info everywhere.
func NewLevels() *Levels {
	l := &Levels{of: map[string]*slog.LevelVar{}}
	for name := range Subsystems {
		l.of[name] = new(slog.LevelVar)
	}
	return l
}

// Names are the subsystems, sorted.
func (l *Levels) Names() []string {
	var names []string
	for name := range l.of {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// String is every subsystem with its level.
func (l *Levels) String() string {
	names := l.Names()
	for i, name := range names {
		names[i] = name + "=" + levelName(l.of[name].Level())
	}
	return strings.Join(names, ", ")
}

// Set reads "info", "info,PEER=debug,..." or "PEER=debug,...". When anything in it is
// wrong, nothing is changed.
func (l *Levels) Set(text string) error {
	want := map[string]slog.Level{}
	for i, part := range strings.Split(text, ",") {
		name, value, pair := strings.Cut(strings.TrimSpace(part), "=")
		if !pair {
			value = name
		}
		level, ok := parseLevel(value)
		switch {
		case !pair && i > 0:
			return fmt.Errorf("the specified debug level contains an invalid subsystem/level pair [%v]", part)
		case !ok:
			return fmt.Errorf("the specified debug level [%v] is invalid: want trace, debug, info, warn, error, critical or off", value)
		case !pair:
			for _, s := range l.Names() {
				want[s] = level
			}
		case l.of[name] != nil:
			want[name] = level
		case !strings.Contains(foreign, " "+name+" "):
			return fmt.Errorf("the specified subsystem [%v] is invalid -- supported subsystems are %v", name, l.Names())
		}
	}
	for name, level := range want {
		l.of[name].Set(level)
	}
	return nil
}

// level is that of a subsystem; an unknown one counts as the daemon itself.
func (l *Levels) level(name string) *slog.LevelVar {
	if v := l.of[name]; v != nil {
		return v
	}
	return l.of[Main]
}

var levelNames = []struct {
	level slog.Level
	name  string
}{
	{LevelTrace, "TRACE"}, {slog.LevelDebug, "DEBUG"}, {slog.LevelInfo, "INFO"}, {slog.LevelWarn, "WARN"}, {slog.LevelError, "ERROR"},
	{LevelCritical, "CRITICAL"}, {levelOff, "OFF"},
}

func parseLevel(text string) (slog.Level, bool) {
	for _, n := range levelNames {
		if strings.EqualFold(n.name, text) {
			return n.level, true
		}
	}
	return 0, false
}

func levelName(level slog.Level) string {
	name := level.String()
	for _, n := range levelNames {
		if n.level == level {
			name = n.name
		}
	}
	return name
}
