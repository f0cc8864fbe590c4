package rig

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// relays are enough for every circuit to find others for its further hops, also when one is
// just not to be used.
const relays = 6

// TorNet is a Tor network of its own on this machine: an authority, some relays and a client
// for our nodes.
type TorNet struct {
	SOCKS, Control string

	t         testing.TB
	dir       string
	authority string // the line that names it in every configuration
	daemons   []*Process
}

// NewTorNet starts a network and waits until its client can be used. It needs tor and
// tor-gencert (Debian's package tor); without them the test is skipped.
func NewTorNet(t testing.TB) *TorNet {
	t.Helper()
	for _, program := range []string{"tor", "tor-gencert"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("SKIPPED: no %s on this machine, so nothing was tried over a real Tor network", program)
		}
	}
	n := &TorNet{t: t, dir: t.TempDir(), SOCKS: FreeAddr(t), Control: FreeAddr(t)}
	t.Cleanup(func() {
		for _, p := range n.daemons {
			p.Kill()
		}
	})
	n.startAuthority()
	for i := range relays {
		n.start(fmt.Sprintf("relay%d", i), n.relay(port(FreeAddr(t))))
	}
	n.start("client", "SocksPort "+n.SOCKS, "ControlPort "+n.Control, "CookieAuthentication 1")
	Eventually(t, "the Tor network works", func() bool {
		return strings.Contains(n.log("client"), "Bootstrapped 100%")
	})
	return n
}

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

// relay is the configuration of who carries for others, to this machine only.
func (n *TorNet) relay(orPort string) string {
	return strings.Join([]string{
		"ORPort 127.0.0.1:" + orPort, "Address 127.0.0.1", "AssumeReachable 1", "ContactInfo none", "SocksPort 0",
		"ExitRelay 1", "ExitPolicy accept 127.0.0.0/8:*", "ExitPolicyRejectPrivate 0",
	}, "\n")
}

// startAuthority makes the keys of the one who votes alone, every ten seconds.
func (n *TorNet) startAuthority() {
	orPort, dirPort := port(FreeAddr(n.t)), port(FreeAddr(n.t))
	dir := filepath.Join(n.dir, "authority")
	keys := filepath.Join(dir, "keys")
	require.NoError(n.t, os.MkdirAll(keys, 0o700))
	cmd := exec.Command("tor-gencert", "--create-identity-key", "--passphrase-fd", "0", "-a", "127.0.0.1:"+dirPort,
		"-i", filepath.Join(keys, "authority_identity_key"), "-s", filepath.Join(keys, "authority_signing_key"),
		"-c", filepath.Join(keys, "authority_certificate"))
	cmd.Stdin = strings.NewReader("no secret\n")
	out, err := cmd.CombinedOutput()
	require.NoError(n.t, err, "%s", out)
	certificate, err := os.ReadFile(filepath.Join(keys, "authority_certificate"))
	require.NoError(n.t, err)
	_, rest, ok := strings.Cut(string(certificate), "\nfingerprint ")
	require.True(n.t, ok)
	vote := strings.Fields(rest)[0]

	empty := filepath.Join(n.dir, "empty")
	require.NoError(n.t, os.WriteFile(empty, nil, 0o600))
	out, err = exec.Command("tor", "-f", empty, "--defaults-torrc", os.DevNull, "--quiet", "--list-fingerprint",
		"--ORPort", "1", "--DataDirectory", dir, "--Nickname", "authority").Output()
	require.NoError(n.t, err)
	_, fingerprint, _ := strings.Cut(strings.TrimSpace(string(out)), " ")

	n.authority = fmt.Sprintf("DirAuthority authority orport=%s no-v2 v3ident=%s 127.0.0.1:%s %s",
		orPort, vote, dirPort, strings.ReplaceAll(fingerprint, " ", ""))
	n.start("authority", n.relay(orPort), "DirPort 127.0.0.1:"+dirPort, "AuthoritativeDirectory 1", "V3AuthoritativeDirectory 1",
		"TestingV3AuthInitialVotingInterval 5", "TestingV3AuthInitialVoteDelay 2", "TestingV3AuthInitialDistDelay 2",
		"V3AuthVotingInterval 10", "V3AuthVoteDelay 2", "V3AuthDistDelay 2",
		"TestingDirAuthVoteExit *", "TestingDirAuthVoteGuard *", "TestingDirAuthVoteHSDir *", "TestingMinExitFlagThreshold 0",
		"AuthDirFastGuarantee 1 bytes") // relays that have carried nothing yet are as good as any
}

// start runs a daemon of the network.
func (n *TorNet) start(name string, lines ...string) {
	dir := filepath.Join(n.dir, name)
	require.NoError(n.t, os.MkdirAll(dir, 0o700))
	lines = append(lines, "DataDirectory "+dir, "Nickname "+name, "TestingTorNetwork 1", "ShutdownWaitLength 0",
		"Log notice file "+filepath.Join(dir, "log"), n.authority)
	config := filepath.Join(dir, "torrc")
	require.NoError(n.t, os.WriteFile(config, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	p, err := Spawn(exec.Command("tor", "-f", config, "--defaults-torrc", os.DevNull, "--quiet"))
	require.NoError(n.t, err)
	n.daemons = append(n.daemons, p)
}

func (n *TorNet) log(name string) string {
	b, _ := os.ReadFile(filepath.Join(n.dir, name, "log"))
	return string(b)
}

// Published gives what waits until an onion service that comes up from now on can be found. A
// client that looks for it sooner remembers for a quarter of an hour that it is not there.
func (n *TorNet) Published() (wait func()) {
	n.t.Helper()
	conn, err := net.Dial("tcp", n.Control)
	require.NoError(n.t, err)
	n.t.Cleanup(func() { conn.Close() })
	cookie, err := os.ReadFile(filepath.Join(n.dir, "client", "control_auth_cookie"))
	require.NoError(n.t, err)
	_, err = fmt.Fprintf(conn, "AUTHENTICATE %x\r\nSETEVENTS HS_DESC\r\n", cookie)
	require.NoError(n.t, err)
	return func() {
		n.t.Helper()
		require.NoError(n.t, conn.SetReadDeadline(time.Now().Add(Patience)))
		lines := bufio.NewScanner(conn)
		for uploads := 0; uploads < enoughEntries; {
			require.True(n.t, lines.Scan(), "the onion service is not published: %v", lines.Err())
			if strings.HasPrefix(lines.Text(), "650 HS_DESC UPLOADED ") {
				uploads++
			}
		}
	}
}

// enoughEntries of an onion service are with relays: whoever looks for it finds one of them.
const enoughEntries = 4
