package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jessevdk/go-flags"

	"github.com/fulgur-ln/fulgur/channel"
	"github.com/fulgur-ln/fulgur/cmd/internal/build"
	"github.com/fulgur-ln/fulgur/rpc/macaroons"
)

// options are the flags and the keys of the configuration file. The names are
// lnd's, so that an operator's file works here; see loadConfig for what happens to
// those that are not ours.
type options struct {
	Version bool `short:"V" long:"version" description:"show the version and exit"`

	FulgurDir  string `long:"fulgurdir" description:"directory of everything that the node keeps"`
	LndDir     string `long:"lnddir" description:"the same as --fulgurdir; the configuration file is then lnd.conf"`
	ConfigFile string `short:"C" long:"configfile" description:"configuration file; default fulgur.conf, or lnd.conf with --lnddir, in that directory"`
	DataDir    string `short:"b" long:"datadir" description:"directory of the databases and macaroons; default: data in --fulgurdir"`
	LogDir     string `long:"logdir" description:"directory of the logs; default: logs in --fulgurdir"`

	Alias string `long:"alias" description:"name that others see, at most 32 bytes"`
	Color string `long:"color" default:"#3399ff" description:"colour that others see, as #rrggbb"`

	Listeners     []string      `long:"listen" description:"host:port to accept peers on; may be given several times"`
	NoListen      bool          `long:"nolisten" description:"accept no peers"`
	ExternalIP    []string      `long:"externalip" description:"host[:port] that others are told to reach us at: an IP, an onion service of version 3, or one DNS name"`
	ExternalHosts []string      `long:"externalhosts" description:"host[:port] whose IP addresses others are told, looked up now and then"`
	AddPeers      []string      `long:"addpeer" description:"pubkey@host:port to keep connected to"`
	NoBoot        bool          `long:"nobootstrap" description:"do not look for peers to learn the graph from"`
	MinBackoff    time.Duration `long:"minbackoff" default:"1s" description:"shortest wait before a peer is dialled again"`
	MaxBackoff    time.Duration `long:"maxbackoff" default:"1h" description:"longest wait before a peer is dialled again"`
	ConnTimeout   time.Duration `long:"connectiontimeout" description:"how long an attempt to reach a peer may take; 0: 30 seconds, 2 minutes with Tor"`

	RPCListeners  []string `long:"rpclisten" description:"host:port of the gRPC server"`
	RESTListeners []string `long:"restlisten" description:"host:port of the REST server"`
	RESTCORS      []string `long:"restcors" description:"origin that browsers may call the REST server from"`
	NoREST        bool     `long:"norest" description:"no REST server"`

	WSPing time.Duration `long:"ws-ping-interval" default:"30s" description:"wait between pings on a WebSocket; 0: none"`
	WSPong time.Duration `long:"ws-pong-wait" default:"5s" description:"how long an answer to such a ping may take"`

	TLSCert         string   `long:"tlscertpath" description:"TLS certificate of the servers"`
	TLSKey          string   `long:"tlskeypath" description:"its key"`
	TLSExtraIPs     []string `long:"tlsextraip" description:"further IP address in the certificate"`
	TLSExtraDomains []string `long:"tlsextradomain" description:"further name in the certificate"`

	TLSAutoRefresh bool          `long:"tlsautorefresh" description:"make a new certificate at the start when addresses or names have changed; one that runs out is always renewed"`
	TLSNoAutofill  bool          `long:"tlsdisableautofill" description:"leave this machine's name and addresses out of the certificate"`
	TLSDuration    time.Duration `long:"tlscertduration" default:"10080h" description:"how long a new certificate is good"`

	Reflection       bool   `long:"rpcreflection" description:"serve gRPC's description of the interface to callers who may read info"`
	NoMacaroons      bool   `long:"no-macaroons" description:"ask callers for no macaroon; only on loopback"`
	AdminMacaroon    string `long:"adminmacaroonpath" description:"where the admin macaroon is written"`
	ReadonlyMacaroon string `long:"readonlymacaroonpath" description:"where the read-only macaroon is written"`
	InvoiceMacaroon  string `long:"invoicemacaroonpath" description:"where the invoice macaroon is written"`
	NoSeedBackup     bool   `long:"noseedbackup" description:"make a wallet at once, with a seed that nobody sees; for tests"`
	UnlockFile       string `long:"wallet-unlock-password-file" description:"file with the password that unlocks the wallet at the start"`
	UnlockCreate     bool   `long:"wallet-unlock-allow-create" description:"always on; accepted for lnd's files"`
	BackupFile       string `long:"backupfilepath" description:"where the static channel backup is kept"`
	UpfrontShutdown  string `long:"upfront-shutdown-address" description:"address that cooperative closes pay to"`

	MinChanSize        uint64        `long:"minchansize" default:"20000" description:"smallest channel, in sat, that a peer may open"`
	MaxChanSize        uint64        `long:"maxchansize" description:"largest channel in sat; 0.16777215 BTC unless wumbo channels are on"`
	MaxPendingChannels int           `long:"maxpendingchannels" default:"1" description:"unconfirmed channels that a peer may have"`
	MaxCommitFeeRate   uint64        `long:"max-commit-fee-rate-anchors" default:"10" description:"most sat/vbyte that our commitments with anchors pay"`
	RejectHTLC         bool          `long:"rejecthtlc" description:"do not forward for others"`
	RequireInterceptor bool          `long:"requireinterceptor" description:"forward nothing without an HTLC interceptor; what it has seen is held for the next one"`
	ChannelUpdates     bool          `long:"channelupdates" description:"tell the subscribers of channels also when commitments change; ln-service up to 58.1.0 cannot read it and gives up"`
	DebugLevel         string        `short:"d" long:"debuglevel" default:"info" description:"what is logged: trace, debug, info, warn, error, critical or off, for all or as SUBSYSTEM=LEVEL,...; show lists the subsystems"`
	MaxLogFiles        *int          `long:"maxlogfiles" description:"the same as --logging.file.max-files"`
	MaxLogFileSize     *int          `long:"maxlogfilesize" description:"the same as --logging.file.max-file-size"`
	AcceptKeysend      bool          `long:"accept-keysend" description:"accept payments that nobody made an invoice for"`
	StoreResolutions   bool          `long:"store-final-htlc-resolutions" description:"keep for good how every incoming HTLC ended: fulgur lookuphtlcresolution"`
	KeepFailed         bool          `long:"keep-failed-payment-attempts" description:"always on; accepted for lnd's files: fulgur deletepayments removes them"`
	TrickleDelay       int           `long:"trickledelay" default:"90000" description:"milliseconds between batches of relayed gossip"`
	AcceptorTimeout    time.Duration `long:"acceptortimeout" default:"15s" description:"how long a channel acceptor may think before its silence refuses a channel"`
	ChanEnableTimeout  time.Duration `long:"chan-enable-timeout" default:"19m" description:"how long a peer must be back before its channels are announced as enabled"`
	ChanDisableTimeout time.Duration `long:"chan-disable-timeout" default:"20m" description:"how long a peer must be away before its channels are announced as disabled"`
	Profile            string        `long:"profile" description:"host:port to serve pprof and counters (/debug/vars) on, loopback only"`

	Bitcoin  bitcoinOptions  `group:"Bitcoin" namespace:"bitcoin"`
	Btcd     btcdOptions     `group:"btcd" namespace:"btcd"`
	Fee      feeOptions      `group:"fee" namespace:"fee"`
	Protocol protocolOptions `group:"protocol" namespace:"protocol"`
	Tor      torOptions      `group:"Tor" namespace:"tor"`
	Routing  routingOptions  `group:"routing" namespace:"routing"`

	Logging loggingOptions `group:"logging" namespace:"logging"`
	Pprof   pprofOptions   `group:"pprof" namespace:"pprof"`

	Prometheus prometheusOptions `group:"prometheus" namespace:"prometheus"`
	Health     healthOptions     `group:"healthcheck" namespace:"healthcheck"`
	Middleware middlewareOptions `group:"rpcmiddleware" namespace:"rpcmiddleware"`

	Dev  devOptions  `group:"dev" namespace:"dev"`
	Hodl hodlOptions `group:"hodl" namespace:"hodl"`

	// without effect here: they only tune lnd's internals
	Tuning tuningOptions `group:"without effect"`
}

type bitcoinOptions struct {
	Active   bool     `long:"active" description:"always on; accepted for lnd's files"`
	Mainnet  bool     `long:"mainnet" description:"use the main network"`
	Testnet  bool     `long:"testnet" description:"use test network 3"`
	Testnet4 bool     `long:"testnet4" description:"use test network 4"`
	Signet   bool     `long:"signet" description:"use signet"`
	Simnet   bool     `long:"simnet" description:"use btcd's simulation network"`
	Regtest  bool     `long:"regtest" description:"use a regression test network"`
	Node     string   `long:"node" default:"btcd" choice:"btcd" choice:"bitcoind" choice:"neutrino" description:"chain backend; btcd is the one there is"`
	DNSSeeds []string `long:"dnsseed" description:"root of a DNS seed to learn nodes from, instead of the network's own; may be given several times"`

	Confs         int    `long:"defaultchanconfs" description:"confirmations before a channel opened to us is used; 0: 3 to 6 by its size"`
	RemoteDelay   int    `long:"defaultremotedelay" description:"blocks that a peer waits for its money after its own forced close; 0: by size"`
	TimeLockDelta uint16 `long:"timelockdelta" default:"80" description:"cltv_expiry_delta of new channels, and what invoices leave us for the last hop"`
	BaseFee       uint32 `long:"basefee" default:"1000" description:"msat for carrying a payment over a new channel"`
	FeeRate       uint32 `long:"feerate" default:"1" description:"millionths of the amount for carrying a payment over a new channel"`
	MinHTLC       uint64 `long:"minhtlc" default:"1" description:"smallest HTLC, in msat, that a new channel takes in"`
	MinHTLCOut    uint64 `long:"minhtlcout" default:"1000" description:"smallest HTLC, in msat, that a new channel carries out"`
}

type btcdOptions struct {
	Host    string `long:"rpchost" default:"localhost" description:"host[:port] of btcd's RPC server"`
	User    string `long:"rpcuser" description:"user of btcd's RPC server"`
	Pass    string `long:"rpcpass" default-mask:"-" description:"password of btcd's RPC server"`
	Cert    string `long:"rpccert" description:"certificate of btcd's RPC server"`
	RawCert string `long:"rawrpccert" description:"the certificate itself, PEM in hex"`
}

type feeOptions struct {
	URL       string        `long:"url" description:"where fee estimates come from: JSON with fee_by_block_target in sat/kvB"`
	MinUpdate time.Duration `long:"min-update-timeout" default:"5m" description:"shortest wait between two looks"`
	MaxUpdate time.Duration `long:"max-update-timeout" default:"20m" description:"longest wait between two looks"`
}

type protocolOptions struct {
	Wumbo       bool `long:"wumbo-channels" description:"allow channels above 0.16777215 BTC"`
	NoAnchors   bool `long:"no-anchors" description:"do not offer channels with anchors"`
	Anchors     bool `long:"anchors" description:"anchors are on by default; matters with --dev.testprofile only"`
	NoStorage   bool `long:"no-peer-storage" description:"keep no blobs for the peers that we have channels with"`
	NoQueriesEx bool `long:"no-gossip-queries-ex" description:"do not offer extended gossip queries"`

	NoBlinding    bool `long:"no-route-blinding" description:"do not forward payments inside blinded paths"`
	NoMessages    bool `long:"no-onion-messages" description:"neither take nor send onion messages"`
	NoAttribution bool `long:"no-attribution-data" description:"do not say how long HTLCs were held, nor who failed them, in what goes back to payers"`
	NoAccountable bool `long:"no-experimental-accountability" description:"do not pass on accountability signals"`

	ScidAlias    bool     `long:"option-scid-alias" description:"always on; accepted for lnd's files"`
	SimpleClose  bool     `long:"rbf-coop-close" description:"always on; accepted for lnd's files"`
	ZeroConf     bool     `long:"zero-conf" description:"allow channels that are used before their funding confirms"`
	ZeroConfPeer []string `long:"zero-conf-peer" description:"node id in hex of a peer that is trusted to open such channels; may be given several times"`
}

// middlewareOptions let other programs see calls of the interface.
type middlewareOptions struct {
	Enable    bool          `long:"enable" description:"let programs whose macaroon allows it see calls, and refuse them"`
	Timeout   time.Duration `long:"intercepttimeout" default:"2s" description:"how long such a program may take to agree to a call, which is refused otherwise"`
	Mandatory []string      `long:"addmandatory" description:"name of such a program without which no call is answered; may be given several times"`
}

type routingOptions struct {
	AssumeValid bool `long:"assumechanvalid" description:"take announced channels without asking the chain for them: quick, and the map is only as true as what peers say"`
}

// devOptions are for test benches. They are refused unless the build has the tag dev.
type devOptions struct {
	ChannelDir  string `long:"channeldir" description:"where the money's database lies"`
	TestProfile string `long:"testprofile" description:"lnd-regtest: answer as benches for lnd on regtest expect"`
}

// hodlOptions are for test benches, too: they keep back what the node should pass on. The
// names are lnd's.
type hodlOptions struct {
	ExitSettle     bool `long:"exit-settle" description:"take HTLCs for this node and never answer them"`
	AddIncoming    bool `long:"add-incoming" description:"take HTLCs from peers and do nothing with them"`
	SettleIncoming bool `long:"settle-incoming" description:"do not act on preimages from the next node"`
	FailIncoming   bool `long:"fail-incoming" description:"do not act on failures from the next node"`
	AddOutgoing    bool `long:"add-outgoing" description:"do not send HTLCs"`
	SettleOutgoing bool `long:"settle-outgoing" description:"do not send preimages back"`
	FailOutgoing   bool `long:"fail-outgoing" description:"do not send failures back"`
	Commit         bool `long:"commit" description:"do not sign for what has changed in a channel"`
}

// pprofOptions are about where the node spends its time.
type pprofOptions struct {
	Profile    string `long:"profile" description:"the same as --profile"`
	CPUProfile string `long:"cpuprofile" description:"file that a profile of the processor's time is written to until the end"`
	Blocking   int    `long:"blockingprofile" description:"also note who waits, of waits every so many nanoseconds one; for /debug/pprof/block"`
	Mutex      int    `long:"mutexprofile" description:"also note who holds locks that others wait for, of so many one; for /debug/pprof/mutex"`
}

// config is the configuration of a run: the options with everything derived.
type config struct {
	options
	network  string // "regtest", ...
	dir      string
	warnings []string
}

// errShown says that the answer (help, version) is already on the screen.
var errShown = errors.New("shown")

// loadConfig reads the command line and the configuration file; of an option given
// in both, the command line's counts.
func loadConfig(args []string, stdout io.Writer) (*config, error) {
	pre := options{Health: defaultHealth}
	parser := flags.NewParser(&pre, flags.HelpFlag|flags.PassDoubleDash)
	hideBenches(parser)
	if _, err := parser.ParseArgs(args); err != nil {
		return nil, explain(err, stdout)
	}
	if pre.DebugLevel == "show" {
		showSubsystems(stdout)
		return nil, errShown
	}
	if pre.Version {
		fmt.Fprintln(stdout, "fulgurd "+build.Text())
		return nil, errShown
	}
	c := &config{options: options{Health: defaultHealth}}
	c.dir = directory(&pre)
	parser = flags.NewParser(&c.options, flags.HelpFlag|flags.PassDoubleDash)
	hideBenches(parser)
	if err := readFile(parser, &pre, c.dir); err != nil {
		return nil, err
	}
	if _, err := parser.ParseArgs(args); err != nil {
		return nil, explain(err, stdout)
	}
	return c, c.finish(parser)
}

// hideBenches takes what this build refuses out of the help text.
func hideBenches(parser *flags.Parser) {
	for _, g := range parser.Groups() {
		for _, sub := range g.Groups() {
			if sub.ShortDescription == "dev" || sub.ShortDescription == "hodl" {
				sub.Hidden = !devBuild
			}
		}
	}
}

// benchOption is the first option for benches that is set.
func benchOption(parser *flags.Parser) (name string) {
	eachOption(parser, func(g *flags.Group, o *flags.Option) {
		if (g.ShortDescription == "dev" || g.ShortDescription == "hodl") && o.IsSet() && name == "" {
			name = o.LongNameWithNamespace()
		}
	})
	return name
}

// explain turns a parser's error into the user's.
func explain(err error, stdout io.Writer) error {
	var fe *flags.Error
	if errors.As(err, &fe) && fe.Type == flags.ErrHelp {
		fmt.Fprintln(stdout, fe.Message)
		return errShown
	}
	if errors.As(err, &fe) && fe.Type == flags.ErrUnknownFlag {
		if _, name, ok := strings.Cut(fe.Message, "`"); ok {
			return errors.New(unsupported(strings.TrimSuffix(name, "'")))
		}
	}
	return fmt.Errorf("%w (fulgurd --help lists the options)", err)
}

func directory(o *options) string {
	for _, dir := range []string{o.LndDir, o.FulgurDir} {
		if dir != "" {
			return expand(dir)
		}
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "."
	}
	return filepath.Join(home, ".fulgur")
}

// expand resolves a leading ~ and variables, as a shell would.
func expand(path string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = home + rest
		}
	}
	return filepath.Clean(os.ExpandEnv(path))
}

// finish checks the options against each other and fills in what follows.
func (c *config) finish(parser *flags.Parser) error {
	if err := c.pickNetwork(); err != nil {
		return err
	}
	switch {
	case c.Bitcoin.Node != "btcd":
		return fmt.Errorf("--bitcoin.node=%s: btcd is the only chain backend there is yet", c.Bitcoin.Node)
	case (c.Dev != devOptions{} || c.Hodl != hodlOptions{}) && !devBuild:
		return fmt.Errorf("--%s: only in builds with the tag dev", benchOption(parser))
	case c.Dev.TestProfile != "" && c.Dev.TestProfile != "lnd-regtest":
		return fmt.Errorf("--dev.testprofile=%s: lnd-regtest is the only one", c.Dev.TestProfile)
	case c.NoSeedBackup && c.network == "mainnet":
		return errors.New("--noseedbackup: refused on mainnet, where a lost seed is lost money")
	case len(c.Alias) > 32:
		return fmt.Errorf("--alias: %d bytes, at most 32 fit", len(c.Alias))
	case len(c.ExternalHosts) > 0 && c.Tor.Active && !c.Tor.Direct:
		return errors.New("--externalhosts with --tor.active: the names would be looked up outside of Tor; announce them with --externalip, or give --tor.skip-proxy-for-clearnet-targets")
	case c.TLSDuration < time.Minute:
		return errors.New("--tlscertduration: at least 1m is needed")
	case c.Middleware.Timeout <= 0:
		return fmt.Errorf("--rpcmiddleware.intercepttimeout=%v: must be more than nothing", c.Middleware.Timeout)
	case len(c.Middleware.Mandatory) > 0 && !c.Middleware.Enable:
		return errors.New("--rpcmiddleware.addmandatory without --rpcmiddleware.enable: no call would ever be answered")
	case c.MinBackoff > c.MaxBackoff:
		return errors.New("--minbackoff is above --maxbackoff")
	case c.Bitcoin.TimeLockDelta < channel.MinCLTVDelta:
		return fmt.Errorf("--bitcoin.timelockdelta=%d: at least %d blocks are needed to go on chain in time", c.Bitcoin.TimeLockDelta, channel.MinCLTVDelta)
	}
	if _, err := parseColor(c.Color); err != nil {
		return err
	}
	if _, err := c.upfrontScript(); err != nil {
		return err
	}
	if _, err := c.trusted(); err != nil {
		return err
	}
	if _, err := c.externalHosts(); err != nil {
		return err
	}
	if err := cmp.Or(c.checkRanges(), c.checkLogging(), c.Health.validate()); err != nil {
		return err
	}
	c.paths()
	c.warn(parser)
	return c.checkTor()
}

// checkRanges refuses what would become another number where it is used.
func (c *config) checkRanges() error {
	const mostBlocks, mostRate = 2016, 100_000 // peers ask for no more than two weeks
	for _, r := range []struct {
		name  string
		value int64
		most  int64
	}{
		{"bitcoin.defaultremotedelay", int64(c.Bitcoin.RemoteDelay), mostBlocks},
		{"bitcoin.defaultchanconfs", int64(c.Bitcoin.Confs), mostBlocks},
		{"max-commit-fee-rate-anchors", int64(min(c.MaxCommitFeeRate, math.MaxInt64)), mostRate},
	} {
		if r.value < 0 || r.value > r.most {
			return fmt.Errorf("--%s=%d: want 0 to %d", r.name, r.value, r.most)
		}
	}
	return nil
}

func (c *config) pickNetwork() error {
	for _, n := range []struct {
		on   bool
		name string
	}{
		{c.Bitcoin.Mainnet, "mainnet"}, {c.Bitcoin.Testnet, "testnet"}, {c.Bitcoin.Testnet4, "testnet4"},
		{c.Bitcoin.Signet, "signet"}, {c.Bitcoin.Simnet, "simnet"}, {c.Bitcoin.Regtest, "regtest"},
	} {
		if !n.on {
			continue
		}
		if c.network != "" {
			return fmt.Errorf("--bitcoin.%s and --bitcoin.%s: choose one network", c.network, n.name)
		}
		c.network = n.name
	}
	if c.network == "" {
		return errors.New("no network: add one of --bitcoin.regtest, --bitcoin.simnet, --bitcoin.signet, " +
			"--bitcoin.testnet4, --bitcoin.testnet, --bitcoin.mainnet")
	}
	return nil
}

// paths fills in the places of files and addresses that were not given.
func (c *config) paths() {
	set := func(p *string, parts ...string) {
		if *p == "" {
			*p = filepath.Join(append([]string{c.dir}, parts...)...)
		}
		*p = expand(*p)
	}
	set(&c.TLSCert, "tls.cert")
	set(&c.TLSKey, "tls.key")
	set(&c.Tor.KeyPath, "v3_onion_private_key")
	set(&c.DataDir, "data")
	set(&c.LogDir, "logs")
	for p, name := range map[*string]string{
		&c.AdminMacaroon: "admin.macaroon", &c.ReadonlyMacaroon: "readonly.macaroon", &c.InvoiceMacaroon: "invoice.macaroon",
		&c.BackupFile: "channel.backup",
	} {
		if *p == "" {
			*p = filepath.Join(c.chainDir(), name)
		}
		*p = expand(*p)
	}
	if len(c.Listeners) == 0 {
		c.Listeners = []string{":9735"}
		if c.Tor.Active { // nobody shall come past Tor unless the operator says so
			c.Listeners = []string{"localhost:9735"}
		}
	}
	if len(c.RPCListeners) == 0 {
		c.RPCListeners = []string{"localhost:10009"}
	}
	if len(c.RESTListeners) == 0 {
		c.RESTListeners = []string{"localhost:8080"}
	}
	if c.NoREST {
		c.RESTListeners = nil
	}
	if c.NoListen {
		c.Listeners = nil
	}
}

// chainDir holds the money and the macaroons, graphDir what can be learned again.
func (c *config) chainDir() string {
	return filepath.Join(c.DataDir, "chain", "bitcoin", c.network)
}
func (c *config) graphDir() string { return filepath.Join(c.DataDir, "graph", c.network) }

// moneyDir holds the money's database.
func (c *config) moneyDir() string {
	if c.Dev.ChannelDir != "" {
		return expand(c.Dev.ChannelDir)
	}
	return c.chainDir()
}

// macaroonFiles are the macaroons that are written for local programs.
func (c *config) macaroonFiles() []macaroons.File {
	files := macaroons.Files(c.chainDir())
	for i, path := range []string{c.AdminMacaroon, c.ReadonlyMacaroon, c.InvoiceMacaroon} {
		files[i].Path = path
	}
	return files
}

// parseColor reads #rrggbb.
func parseColor(text string) (rgb [3]byte, err error) {
	if _, err := fmt.Sscanf(strings.ToLower(text), "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]); err != nil || len(text) != 7 {
		return rgb, fmt.Errorf("--color=%s: want #rrggbb", text)
	}
	return rgb, nil
}
