package lnwire

import (
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// AddressType is the kind of an Address.
type AddressType uint8

// The address types of BOLT 7; 3 (Tor v2) is read and dropped.
const (
	AddrIPv4 AddressType = 1
	AddrIPv6 AddressType = 2
	AddrTor3 AddressType = 4
	AddrDNS  AddressType = 5
)

// Address is a place at which a node may be reached.
type Address struct {
	Type AddressType
	Host string // an IP in text, a name in ASCII, or 56 letters and ".onion"
	Port uint16
}

// addrTor2 is no longer announced and no longer used.
const addrTor2 AddressType = 3

// torLen is what a version 3 onion address holds: key, checksum and version.
const torLen = 35

const torSuffix = ".onion"

var torEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// errUnknownAddress says that a descriptor's type, and so its length, is unknown.
var errUnknownAddress = errors.New("unknown address type")

// String is the address as one dials it: host:port, with an IPv6 host in brackets.
func (a Address) String() string {
	host := a.Host
	if a.Type == AddrIPv6 {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(a.Port))
}

// ParseAddress reads host:port, or a host alone, for which port is used. What is
// neither an IP nor an onion service is a DNS name.
func ParseAddress(text string, port uint16) (Address, error) {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return checked(ipAddress(ap.Addr(), ap.Port()))
	}
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return checked(ipAddress(ip, port))
	}
	host, portText, found := strings.Cut(text, ":")
	if found {
		n, err := strconv.ParseUint(portText, 10, 16)
		if err != nil {
			return Address{}, fmt.Errorf("address %q: port: %w", text, err)
		}
		port = uint16(n)
	}
	if strings.HasSuffix(strings.ToLower(host), torSuffix) {
		return checked(Address{Type: AddrTor3, Host: strings.ToLower(host), Port: port})
	}
	return checked(Address{Type: AddrDNS, Host: host, Port: port})
}

func ipAddress(ip netip.Addr, port uint16) Address {
	if ip.Is4() {
		return Address{Type: AddrIPv4, Host: ip.String(), Port: port}
	}
	return Address{Type: AddrIPv6, Host: ip.String(), Port: port}
}

func checked(a Address) (Address, error) {
	if _, err := AppendAddress(nil, a); err != nil {
		return Address{}, err
	}
	return a, nil
}

// AppendAddress writes the address descriptor of BOLT 7 behind b: the type, the
// host, the port. The error says what cannot be announced about it.
//
// B7.wire.3: an IP or a name is not announced with port 0.
// B7.wire.4: a host name is ASCII of at most 255 bytes.
func AppendAddress(b []byte, a Address) ([]byte, error) {
	if a.Port == 0 && a.Type != AddrTor3 {
		return nil, fmt.Errorf("address %q: port 0", a.Host)
	}
	b = append(b, byte(a.Type))
	switch a.Type {
	case AddrIPv4, AddrIPv6:
		ip, err := netip.ParseAddr(a.Host)
		if err != nil || ip.Is4() != (a.Type == AddrIPv4) || ip.Zone() != "" {
			return nil, fmt.Errorf("address %q: not an IP of type %d", a.Host, a.Type)
		}
		b = append(b, ip.AsSlice()...)
	case AddrTor3:
		key, ok := strings.CutSuffix(a.Host, torSuffix)
		raw, err := torEncoding.DecodeString(strings.ToUpper(key))
		if !ok || err != nil || len(raw) != torLen {
			return nil, fmt.Errorf("address %q: not a version 3 onion service", a.Host)
		}
		b = append(b, raw...)
	case AddrDNS:
		if !isHostname(a.Host) {
			return nil, fmt.Errorf("address %q: not a host name", a.Host)
		}
		b = append(append(b, byte(len(a.Host))), a.Host...)
	case addrTor2:
		return nil, fmt.Errorf("address %q: onion services of version 2 are no longer announced", a.Host)
	default:
		return nil, fmt.Errorf("address %q: %w %d", a.Host, errUnknownAddress, a.Type)
	}
	return appendU16(b, a.Port), nil
}

// ReadAddress takes one address descriptor off the front of b. The host of the
// result is safe to print; usable is false for what nobody should dial: port 0
// with an IP or a name, a name that is none, and Tor version 2.
func ReadAddress(b []byte) (a Address, usable bool, rest []byte, err error) {
	if len(b) == 0 {
		return a, false, nil, fmt.Errorf("address: %w", ErrTruncated)
	}
	r := reader{b: b[1:]}
	a.Type = AddressType(b[0])
	switch a.Type {
	case AddrIPv4:
		ip, _ := netip.AddrFromSlice(r.take(4, "ipv4_addr"))
		a.Host = ip.String()
	case AddrIPv6:
		ip, _ := netip.AddrFromSlice(r.take(16, "ipv6_addr"))
		a.Host = ip.String()
	case addrTor2:
		r.take(10, "onion_addr")
	case AddrTor3:
		a.Host = strings.ToLower(torEncoding.EncodeToString(r.take(torLen, "onion_addr"))) + torSuffix
	case AddrDNS:
		if name := string(r.take(int(r.u8("hostname_len")), "hostname")); isHostname(name) {
			a.Host = name
		}
	default:
		return a, false, nil, fmt.Errorf("%w %d", errUnknownAddress, a.Type)
	}
	a.Port = r.u16("port")
	if r.err != nil {
		return Address{}, false, nil, fmt.Errorf("%s: %w", r.field, r.err)
	}
	usable = a.Host != "" && (a.Port != 0 || a.Type == AddrTor3)
	return a, usable, r.b, nil
}

// readAddresses gives the addresses of a list that may be used.
//
// B7.wire.5: the list is read up to the first type that is not known.
// B7.wire.6: a known address that is cut off is an error.
// B7.wire.7: IPs and names with port 0, Tor version 2 and all names but the first
// are dropped.
func readAddresses(b []byte) ([]Address, error) {
	var list []Address
	named := false
	for len(b) > 0 {
		if b[0] == 0 { // padding
			b = b[1:]
			continue
		}
		a, usable, rest, err := ReadAddress(b)
		if errors.Is(err, errUnknownAddress) {
			break
		}
		if err != nil {
			return nil, err
		}
		if usable && (a.Type != AddrDNS || !named) {
			list = append(list, a)
		}
		named = named || a.Type == AddrDNS
		b = rest
	}
	return list, nil
}

// appendAddresses writes a list, in order of type.
//
// B7.wire.8: addresses stand in ascending order. B7.wire.9: there is one name at
// most among them.
func appendAddresses(b []byte, list []Address) ([]byte, error) {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(x, y Address) int { return int(x.Type) - int(y.Type) })
	named := false
	for _, a := range sorted {
		if a.Type == AddrDNS && named {
			return nil, fmt.Errorf("address %q: a second host name", a.Host)
		}
		named = named || a.Type == AddrDNS
		var err error
		if b, err = AppendAddress(b, a); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// MayForward is false for an announcement with more than one host name, which is
// not to be passed on.
//
// B7.wire.10: such an announcement is recognised, whatever the names are.
func (m *NodeAnnouncement) MayForward() bool {
	names := 0
	for b := m.RawAddrs; len(b) > 0; {
		if b[0] == 0 {
			b = b[1:]
			continue
		}
		a, _, rest, err := ReadAddress(b)
		if err != nil {
			break
		}
		if a.Type == AddrDNS {
			names++
		}
		b = rest
	}
	return names <= 1
}

// isHostname reports a name of letters, digits, hyphens and dots with labels of 1
// to 63 bytes: what DNS resolves and what is safe to print.
func isHostname(name string) bool {
	if len(name) == 0 || len(name) > 255 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		if len(label) == 0 || len(label) > 63 {
			return false
		}
		for _, c := range []byte(label) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && c != '-' && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}
