package tor

import (
	"bufio"
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fulgur-ln/fulgur/lnwire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var onionHost = strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(make([]byte, 35))) + ".onion"

// socksStub is a SOCKS5 server that leads everywhere to one place and remembers
// what it was asked for.
type socksStub struct {
	net.Listener
	target string

	mu    sync.Mutex
	asked []string // hosts, as they came: names unresolved
	users []string
}

func newSocksStub(t *testing.T, target string) *socksStub {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &socksStub{Listener: l, target: target}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); s.serve(c) })
		}
	})
	return s
}

func (s *socksStub) serve(c net.Conn) {
	read := func(n int) []byte { b := make([]byte, n); io.ReadFull(c, b); return b }
	methods := read(int(read(2)[1]))
	user := ""
	if strings.Contains(string(methods), "\x02") {
		c.Write([]byte{5, 2})
		user = string(read(int(read(2)[1])))
		user += ":" + string(read(int(read(1)[0])))
		c.Write([]byte{1, 0})
	} else {
		c.Write([]byte{5, 0})
	}
	head := read(4)
	host := ""
	switch head[3] {
	case 1:
		host = net.IP(read(4)).String()
	case 3:
		host = string(read(int(read(1)[0])))
	}
	read(2)
	s.mu.Lock()
	s.asked, s.users = append(s.asked, host), append(s.users, user)
	s.mu.Unlock()
	out, err := net.Dial("tcp", s.target)
	if err != nil {
		c.Write([]byte{5, 4, 0, 1, 0, 0, 0, 0, 0, 0}) // host unreachable
		return
	}
	defer out.Close()
	c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	go func() { io.Copy(out, c); out.(*net.TCPConn).CloseWrite() }()
	io.Copy(c, out)
}

// echo is a server that answers with the first line it gets.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				line, _ := bufio.NewReader(c).ReadString('\n')
				io.WriteString(c, line)
			})
		}
	})
	return l.Addr().String()
}

func say(t *testing.T, c net.Conn) {
	t.Helper()
	defer c.Close()
	fmt.Fprintln(c, "ping")
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ping\n", line)
}

func TestDialThroughProxy(t *testing.T) {
	socks := newSocksStub(t, echo(t))
	p := Proxy{SOCKS: socks.Addr().String()}
	for _, addr := range []string{onionHost + ":9735", "node.example:9735", "203.0.113.9:9735"} {
		c, err := p.Dial(t.Context(), addr)
		require.NoError(t, err)
		say(t, c)
	}
	require.Equal(t, []string{onionHost, "node.example", "203.0.113.9"}, socks.asked, "no name is resolved here")
	require.Equal(t, []string{"", "", ""}, socks.users)
}

func TestIsolatedStreamsShareNoCredentials(t *testing.T) {
	socks := newSocksStub(t, echo(t))
	p := Proxy{SOCKS: socks.Addr().String(), Isolate: true}
	seen := map[string]bool{}
	for range 3 {
		c, err := p.Dial(t.Context(), onionHost+":9735")
		require.NoError(t, err)
		say(t, c)
	}
	for _, u := range socks.users {
		require.Greater(t, len(u), 20)
		seen[u] = true
	}
	require.Len(t, seen, 3)
}

func TestDirectLeavesOnlyOnionsToTheProxy(t *testing.T) {
	socks := newSocksStub(t, echo(t))
	p := Proxy{SOCKS: socks.Addr().String(), Direct: true}
	c, err := p.Dial(t.Context(), echo(t))
	require.NoError(t, err)
	say(t, c)
	require.Empty(t, socks.asked)
	c, err = p.Dial(t.Context(), onionHost+":1")
	require.NoError(t, err)
	say(t, c)
	require.Equal(t, []string{onionHost}, socks.asked)
}

func TestDialFails(t *testing.T) {
	nowhere, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nowhere.Close()
	socks := newSocksStub(t, nowhere.Addr().String())
	_, err = Proxy{SOCKS: socks.Addr().String()}.Dial(t.Context(), onionHost+":9735")
	require.ErrorContains(t, err, "host unreachable")
	_, err = Proxy{SOCKS: nowhere.Addr().String()}.Dial(t.Context(), onionHost+":9735")
	require.ErrorContains(t, err, "tor:")
	_, err = NoOnion(t.Context(), onionHost+":9735")
	require.ErrorContains(t, err, "--tor.active")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Proxy{SOCKS: socks.Addr().String()}.Dial(ctx, onionHost+":9735")
	require.ErrorIs(t, err, context.Canceled)
}

// controlStub is a Tor daemon's controller, as far as an onion service needs it.
type controlStub struct {
	net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	services []string // of the living connection
	commands []string
	mute     bool
}

func newControlStub(t *testing.T) *controlStub {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &controlStub{Listener: l}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); s.restart(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			wg.Go(func() { defer c.Close(); s.serve(c) })
		}
	})
	return s
}

// restart is a daemon that goes away and comes back.
func (s *controlStub) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
	s.conns, s.services = nil, nil
}

func (s *controlStub) serve(c net.Conn) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if answer := s.answer(lines.Text()); answer != "" {
			io.WriteString(c, strings.ReplaceAll(answer, "\n", "\r\n"))
		}
	}
}

func (s *controlStub) answer(command string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = append(s.commands, command)
	id := strings.TrimSuffix(onionHost, ".onion")
	verb, _, _ := strings.Cut(command, " ")
	switch {
	case s.mute:
		return ""
	case verb == "PROTOCOLINFO":
		return "250-PROTOCOLINFO 1\n250-AUTH METHODS=HASHEDPASSWORD\n250-VERSION Tor=\"0.4.8.9\"\n250 OK\n"
	case verb == "AUTHENTICATE" && strings.Contains(command, `"secret"`):
		return "250 OK\n"
	case verb == "AUTHENTICATE":
		return "515 Bad authentication\n"
	case verb == "ADD_ONION":
		s.services = []string{id}
		if strings.Contains(command, "NEW:") {
			return "250-ServiceID=" + id + "\n250-PrivateKey=ED25519-V3:key\n250 OK\n"
		}
		return "250-ServiceID=" + id + "\n250 OK\n"
	case verb == "GETINFO":
		return "250-onions/current=" + strings.Join(s.services, ",") + "\n250 OK\n"
	case verb == "DEL_ONION":
		s.services = nil
		return "250 OK\n"
	}
	return "510 Unrecognized command\n"
}

func (s *controlStub) count(prefix string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.commands {
		if strings.HasPrefix(c, prefix) {
			n++
		}
	}
	return n
}

// memory is a Store that forgets.
type memory struct{ key []byte }

func (m *memory) PrivateKey() ([]byte, error) {
	if m.key == nil {
		return nil, ErrNoKey
	}
	return m.key, nil
}
func (m *memory) StorePrivateKey(key []byte) error { m.key = key; return nil }
func (m *memory) DeletePrivateKey() error          { m.key = nil; return nil }

func TestServiceStandsAgainAfterRestartOfTor(t *testing.T) {
	stub, store := newControlStub(t), &memory{}
	s, err := Open(t.Context(), ServiceConfig{
		Control: stub.Addr().String(), Password: "secret", Port: 9735, Listen: 19735, Key: store, Check: 1,
	})
	require.NoError(t, err)
	require.Equal(t, lnwire.Address{Type: lnwire.AddrTor3, Host: onionHost, Port: 9735}, s.Address())
	require.Equal(t, "ED25519-V3:key", string(store.key))
	stub.restart()
	require.Eventually(t, func() bool { return stub.count("ADD_ONION ED25519-V3:key Port=9735,19735") == 1 }, time.Minute, time.Millisecond)
	s.Close()
	require.Equal(t, 1, stub.count("DEL_ONION"))
	require.Empty(t, stub.services)
}

func TestServiceRefused(t *testing.T) {
	stub := newControlStub(t)
	cfg := ServiceConfig{Control: stub.Addr().String(), Password: "wrong", Port: 9735, Listen: 1, Key: &memory{}}
	_, err := Open(t.Context(), cfg)
	require.ErrorContains(t, err, "is the password right")
	stub.Close()
	cfg.Password = "secret"
	_, err = Open(t.Context(), cfg)
	require.ErrorContains(t, err, "tor controller 127.0.0.1:")
}
