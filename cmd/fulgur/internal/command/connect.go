package command

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/fulgur-ln/fulgur/cmd/fulgur/internal/client"
)

// restPort is where a daemon listens for REST.
const restPort = "8080"

var connectCommands = []spec{{
	name: "lndconnect", group: groupStart, usage: "a link by which a wallet on another device finds this node",
	more: "Whoever sees the link can do what its macaroon says: --macaroonpath chooses another than the admin's, and fulgur constrainmacaroon\n" +
		"makes narrower ones. Wallets on phones mostly speak REST.",
	flags: []cli.Flag{
		flagText("host", "`HOST[:PORT]` by which the device reaches the daemon (default: the one of --rpcserver)"),
		flagBool("rest", "for wallets that speak REST"), flagBool("nocert", "leave the certificate out, where another one is shown to the device"),
		flagText("btcpay", "the form that BTCPay Server takes: `text` or file; macaroon and certificate by value or by path"),
		flagBool("qr", "draw a QR code"),
	},
	example: "lndconnect --rest --host=mynode.local --qr", do: lndConnect,
}}

func lndConnect(ctx context.Context, c *call) error {
	secret, err := os.ReadFile(c.target.Macaroon)
	if err != nil {
		return fmt.Errorf("read the macaroon (--macaroonpath chooses one): %w", err)
	}
	der, err := certificate(c.target)
	if err != nil {
		return err
	}
	host, err := c.host()
	if err != nil {
		return err
	}
	link := lndConnectLink(host, der, secret)
	switch form := c.cmd.String("btcpay"); {
	case form == "text":
		link = fmt.Sprintf("type=lnd-rest;server=https://%s/;macaroon=%s;allowinsecure=true", host, hex.EncodeToString(secret))
	case form == "file":
		link = fmt.Sprintf("type=lnd-rest;server=https://%s/;macaroonfilepath=%s;certfilepath=%s", host, c.target.Macaroon, c.target.TLSCert)
	case form != "":
		return Usage("lndconnect: --btcpay=%s: it is text or file", form)
	case c.cmd.Bool("nocert"):
		link = lndConnectLink(host, nil, secret)
	}
	err = c.result(map[string]string{"uri": link}, func(w io.Writer) { fmt.Fprintln(w, link) })
	if err == nil {
		c.qr(link)
	}
	return err
}

// host is where the other device finds the daemon.
func (c *call) host() (string, error) {
	host, _, err := net.SplitHostPort(c.target.Server)
	if err != nil {
		return "", err
	}
	port := client.DefaultPort
	if c.cmd.Bool("rest") || c.cmd.String("btcpay") != "" {
		port = restPort
	}
	given := c.cmd.String("host")
	if given == "" {
		return net.JoinHostPort(host, port), nil
	}
	if _, _, err := net.SplitHostPort(given); err == nil {
		return given, nil
	}
	return net.JoinHostPort(given, port), nil
}

func certificate(t client.Target) ([]byte, error) {
	text, err := os.ReadFile(t.TLSCert)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("read the certificate %s: it holds none", t.TLSCert)
	}
	return block.Bytes, nil
}

// lndConnectLink is the form that wallets read: certificate and macaroon in URL-safe
// base64 without padding.
func lndConnectLink(host string, der, macaroon []byte) string {
	u := url.URL{Scheme: "lndconnect", Host: host}
	text := base64.RawURLEncoding.EncodeToString
	if u.RawQuery = "macaroon=" + text(macaroon); der != nil {
		u.RawQuery = "cert=" + text(der) + "&" + u.RawQuery
	}
	return u.String()
}
