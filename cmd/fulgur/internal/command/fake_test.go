package command

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
	"gopkg.in/macaroon.v2"
)

// daemon answers any method of the interface with what a test has laid ready, over
// TLS and behind a macaroon, and remembers what it was asked.
type daemon struct {
	t      *testing.T
	dir    string
	addr   string
	secret []byte

	mu      sync.Mutex
	answers map[string][]proto.Message // by full method name; several: a stream
	errs    map[string]error
	asked   map[string]proto.Message
}

func startDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{
		t: t, dir: t.TempDir(), secret: []byte("root key"),
		answers: map[string][]proto.Message{}, errs: map[string]error{}, asked: map[string]proto.Message{},
	}
	cert := d.writeCertificate()
	d.writeMacaroon(d.secret)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d.addr = l.Addr().String()
	s := grpc.NewServer(
		grpc.Creds(credentials.NewServerTLSFromCert(&cert)),
		grpc.UnknownServiceHandler(d.serve),
	)
	served := make(chan error)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() { s.Stop(); <-served })
	return d
}

func (d *daemon) writeCertificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(d.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(d.t, err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(d.t, os.WriteFile(filepath.Join(d.dir, "tls.cert"), text, 0o600))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (d *daemon) macaroonPath() string {
	return filepath.Join(d.dir, "data", "chain", "bitcoin", "regtest", "admin.macaroon")
}

func (d *daemon) writeMacaroon(key []byte) {
	m, err := macaroon.New(key, []byte("0"), "lnd", macaroon.LatestVersion)
	require.NoError(d.t, err)
	raw, err := m.MarshalBinary()
	require.NoError(d.t, err)
	require.NoError(d.t, os.MkdirAll(filepath.Dir(d.macaroonPath()), 0o700))
	require.NoError(d.t, os.WriteFile(d.macaroonPath(), raw, 0o600))
}

// open are the services that ask for no macaroon.
var open = []string{"/lnrpc.State/", "/lnrpc.WalletUnlocker/"}

func (d *daemon) serve(_ any, stream grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(stream)
	if !slices.ContainsFunc(open, func(p string) bool { return strings.HasPrefix(method, p) }) {
		if err := d.admit(stream.Context()); err != nil {
			return err
		}
	}
	req, err := request(method)
	if err != nil {
		return err
	}
	if err := stream.RecvMsg(req); err != nil {
		return err
	}
	d.mu.Lock()
	d.asked[method] = req
	answers, fail := d.answers[method], d.errs[method]
	d.mu.Unlock()
	for _, a := range answers {
		if err := stream.SendMsg(a); err != nil {
			return err
		}
	}
	if fail == nil && answers == nil {
		fail = status.Error(codes.Unimplemented, "unknown method "+method)
	}
	return fail
}

// request makes an empty request of a method.
func request(method string) (proto.Message, error) {
	name := strings.ReplaceAll(strings.TrimPrefix(method, "/"), "/", ".")
	desc, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		return nil, status.Error(codes.Unimplemented, err.Error())
	}
	in := desc.(protoreflect.MethodDescriptor).Input()
	if kind, err := protoregistry.GlobalTypes.FindMessageByName(in.FullName()); err == nil {
		return kind.New().Interface(), nil
	}
	return dynamicpb.NewMessage(in), nil
}

// admit checks the macaroon, and that it will not be worth anything for long.
func (d *daemon) admit(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	values := md.Get("macaroon")
	if len(values) != 1 {
		return errors.New("expected 1 macaroon, got 0")
	}
	raw, err := hex.DecodeString(values[0])
	if err != nil {
		return err
	}
	var m macaroon.Macaroon
	if err := m.UnmarshalBinary(raw); err != nil {
		return err
	}
	limited := false
	err = m.Verify(d.secret, func(caveat string) error {
		limited = limited || strings.HasPrefix(caveat, "time-before ")
		return nil
	}, nil)
	if err != nil {
		return errors.New("verification failed: signature mismatch after caveat verification")
	}
	if !limited {
		return errors.New("the macaroon is not limited in time")
	}
	return nil
}

// answer lays an answer ready, or several for a stream.
func (d *daemon) answer(method string, answers ...proto.Message) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[method] = answers
}

func (d *daemon) fail(method string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.errs[method] = err
}

func (d *daemon) request(method string) proto.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked[method]
}

// typed is what came of typing something.
type typed struct {
	code     int
	out, err string
}

// typist is somebody at a keyboard.
type typist struct {
	d    *daemon
	term bool   // standard output is a terminal
	in   string // what is typed or piped in
	ask  bool   // somebody is there to answer questions
}

func (y typist) types(args ...string) typed {
	var out, err bytes.Buffer
	app := &App{In: strings.NewReader(y.in), Out: &out, Err: &err, Term: y.term, InTerm: y.ask}
	global := []string{"fulgur"}
	if y.d != nil {
		global = append(global, "--rpcserver="+y.d.addr, "--fulgurdir="+y.d.dir, "--network=regtest")
	}
	code := app.Run(context.Background(), append(global, args...))
	return typed{code, out.String(), err.String()}
}
