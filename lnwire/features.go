package lnwire

// Features is a feature vector as on the wire: big-endian, bit 0 is the lowest
// bit of the last byte, no leading zero bytes (BOLT 9). Treat it as a value: the
// methods that change it return a new one.
type Features []byte

// Bit is the number of a feature bit. Even: required; odd: optional.
type Bit uint16
