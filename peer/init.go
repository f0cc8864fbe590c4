package peer

import (
	"net"
	"net/netip"
	"slices"

	"github.com/fulgur-ln/fulgur/lnwire"
)

// assumed are the features of which BOLT 9 says that everybody has them: a peer
// may require them even of a node that does not say so.
var assumed = lnwire.NewFeatures(lnwire.DataLossProtectRequired, lnwire.VarOnionRequired,
	lnwire.StaticRemoteKeyRequired, lnwire.PaymentSecretRequired, lnwire.ChannelTypeRequired)

// ourInit is what we say first [B1.peer.3]. Bits that we do not know are never in
// it, since the configuration was checked [B1.peer.1]; it names the chains that we
// are on [B1.peer.4].
func ourInit(cfg *Config, nc net.Conn, inbound bool) *lnwire.Init {
	m := &lnwire.Init{Features: cfg.Features, Networks: cfg.Networks}
	if inbound {
		m.RemoteAddr = publicAddress(nc.RemoteAddr())
	}
	return m
}

// publicAddress is the descriptor of the IP and port that an inbound connection
// came from [B1.peer.5]; nil when it is none, or one that only its owner's network
// knows [B1.peer.6].
func publicAddress(a net.Addr) []byte {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return nil
	}
	ap := tcp.AddrPort()
	ip := ap.Addr().Unmap()
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return nil
	}
	addr, err := lnwire.ParseAddress(netip.AddrPortFrom(ip, ap.Port()).String(), 0)
	if err != nil {
		return nil
	}
	descriptor, err := lnwire.AppendAddress(nil, addr)
	if err != nil {
		return nil
	}
	return descriptor
}

// checkInit says why we cannot be connected to who sent this init.
func checkInit(cfg *Config, theirs *lnwire.Init) error {
	// B1.peer.7: both fields of features count as one.
	offered := theirs.AllFeatures()
	// B1.peer.8: an even bit that we do not know ends the connection, and so does one
	// that we know and do not offer: the peer insists on what we cannot do.
	// B1.peer.9: odd bits that we do not know are ignored.
	if bits := offered.UnknownRequired(lnwire.InInit); len(bits) > 0 {
		return violation("init requires unknown features %v", few(bits))
	}
	if bits := offered.Unsupported(cfg.Features.Or(assumed)); len(bits) > 0 {
		return violation("init requires features that we do not support: %v", few(bits))
	}
	// B1.peer.10: a feature without what it builds on ends the connection.
	if err := offered.CheckDependencies(); err != nil {
		return violation("init: %v", err)
	}
	// B1.peer.11: a peer that names its chains and none of ours is of no use.
	if len(theirs.Networks) == 0 {
		return nil
	}
	for _, chain := range cfg.Networks {
		if slices.Contains(theirs.Networks, chain) {
			return nil
		}
	}
	return violation("init names no chain of ours")
}

// few is the beginning of a list that a peer made as long as it liked.
func few(bits []lnwire.Bit) []lnwire.Bit { return bits[:min(len(bits), 8)] }
