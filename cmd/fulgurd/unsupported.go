package main

import "strings"

// missing are options of lnd that this node does not have, with what to do instead. A
// name with a star at its end stands for all that begin like it.
var missing = []struct{ name, instead string }{
	{"bitcoind.*", "bitcoind is no chain backend of this node yet: use btcd (--bitcoin.node=btcd and --btcd.*)"},
	{"neutrino.*", "neutrino is no chain backend of this node yet: use btcd (--bitcoin.node=btcd and --btcd.*)"},
	{"btcd.dir", "btcd's own configuration is not read: give --btcd.rpccert, --btcd.rpcuser and --btcd.rpcpass"},
	{"bitcoin.chaindir", "the directory is data/chain/bitcoin/NETWORK below --fulgurdir; move all of it with --datadir"},
	{"bitcoin.signetchallenge", "only the default signet is known"},
	{"bitcoin.signetseednode", "only the default signet is known; name peers with --addpeer"},
	{"bitcoin.maxlocaldelay", "peers may ask for at most 2016 blocks"},
	{"autopilot.*", "there is no autopilot: open channels with `fulgur openchannel`"},
	{"watchtower.*", "there is no watchtower yet: take it out"},
	{"wtclient.*", "watchtowers are not used yet: take it out, and keep the node on line"},
	{"cluster.*", "two daemons for one wallet are not there yet: never run a second one on the same words"},
	{"db.*", "the database is fulgur.db, and there is no other to choose: take it out"},
	{"remotesigner.*", "keys are held by the daemon itself: there is no remote signer yet"},
	{"watchonlynode.*", "keys are held by the daemon itself: there is no remote signer yet"},
	{"letsencrypt*", "certificates come from --tlscertpath and --tlskeypath: have another program renew them there"},
	{"tlsencryptkey", "the key is protected by its file mode (0600) only: take it out"},
	{"no-rest-tls", "REST is only served over TLS: give clients tls.cert, or put a proxy in front"},
	{"nat", "the router is not asked: forward the port by hand and give --externalip or --externalhosts"},
	{"accept-amp", "AMP is not there yet: take it out, and use invoices or --accept-keysend"},
	{"protocol.simple-taproot*", "taproot channels are not there yet: take it out, channels with anchors are the default"},
	{"protocol.no-script-enforced-lease", "there are no leased channels: take it out"},
	{"protocol.custom-*", "feature bits are set by what the node can do: take it out"},
	{"protocol.onion-msg-*", "onion messages have limits of their own: take it out, or give --protocol.no-onion-messages"},
	{"reset-wallet-transactions", "unlock with a longer --recovery_window to have old blocks searched again"},
	{"hodl.*", "there is no such test hook (fulgurd --help of a build with the tag dev lists those that there are)"},
	{"unsafe-replay", "an onion is never taken twice: take it out"},
	{"dry-run-migration", "see docs/upgrade.md: copy the directory and try the new version on a machine without network"},
	{"invoices.*", "take it out: hold invoices are cancelled in time by themselves"},
	{"sweeper.*", "fees of sweeps follow from what is at stake and by when: take it out; `fulgur wallet bumpfee` overrides one"},
	{"routerrpc.*", "the search for routes is not tuned by options: take it out"},
	{"routing.*", "take it out"},
	{"grpc.*", "take it out"},
}

// unsupported says of an option that nobody here knows what to do about it.
func unsupported(name string) string {
	name = strings.TrimLeft(name, "-")
	for _, m := range missing {
		if begin, all := strings.CutSuffix(m.name, "*"); name == m.name || all && strings.HasPrefix(name, begin) {
			return "--" + name + " is not supported: " + m.instead
		}
	}
	return "--" + name + " is not an option of fulgurd: take it out (fulgurd --help lists the options)"
}
