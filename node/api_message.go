package node

// SignCompact signs a digest with the node's key so that the key can be recovered from
// the signature. The caller has to see to it that the digest is of nothing that the
// protocol signs.
func (n *Node) SignCompact(digest [32]byte) [65]byte { return n.key.SignCompact(digest) }
