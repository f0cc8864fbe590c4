// Package backup is the static channel backup: what a node needs to find its peers
// again and to get its own outputs back when everything but the seed is lost. The
// form is lnd's, single and multi, so that lnd restores ours and we restore lnd's.
//
// It owns the bytes: versions, encryption, padding. Everything that it reads may
// come from a stranger's disk.
//
// It must never know when a backup is made, where it is kept, or how a channel is
// brought back.
//
//	plain, err := backup.PlainMulti(singles)
//	blob := backup.Seal(key, nonce, plain)
//	plain, err = backup.Open(key, blob)
//	singles, err = backup.ParseMulti(plain)
package backup
