package node

import (
	"log/slog"

	"github.com/fulgur-ln/fulgur/channel"
)

// loggers are those of the node's parts, each of which can have a level of its own: sys
// says which, with the names that users of lnd know.
type loggers struct {
	peers, gossip, channels, opens, closes, invoices, payments, sweeps, wallet, chain, backups *slog.Logger
}

func newLoggers(log *slog.Logger) loggers {
	of := func(name string) *slog.Logger { return log.With("sys", name) }
	return loggers{
		peers: of("PEER"), gossip: of("DISC"), channels: of("HSWC"), opens: of("FNDG"), closes: of("CNCT"), invoices: of("INVC"),
		payments: of("CRTR"), sweeps: of("SWPR"), wallet: of("LNWL"), chain: of("NTFN"), backups: of("CHBU"),
	}
}

// logNotice logs what a channel tells, under the part of its life that it belongs to.
func (n *Node) logNotice(t channel.Notice) {
	log, level := n.logs.channels, slog.LevelInfo
	switch t.Kind {
	case channel.NoticeOpening, channel.NoticeOpen, channel.NoticeUnconfirmed, channel.NoticeRestored:
		log = n.logs.opens
	case channel.NoticeOpenFailed:
		log, level = n.logs.opens, slog.LevelWarn
	case channel.NoticeActive, channel.NoticeInactive:
		level = slog.LevelDebug
	case channel.NoticeWarning, channel.NoticeError:
		level = slog.LevelWarn
	case channel.NoticeBug, channel.NoticeDataLost, channel.NoticeFailing:
		level = slog.LevelError
	case channel.NoticeCloseRefused, channel.NoticeClosePublished, channel.NoticeSpent, channel.NoticeClosed, channel.NoticeForgotten,
		channel.NoticeBreach:
		log = n.logs.closes
	case channel.NoticeQuiescent, channel.NoticeQuiesceRefused, channel.NoticeOverdue:
	}
	log.Log(n.ctx, level, "channel "+t.Kind.String(), "channel", t.ChanNum, "text", t.Text)
}
