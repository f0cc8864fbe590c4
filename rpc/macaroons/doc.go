// Package macaroons makes and checks the tokens that say what a caller of the interface may do.
//
// A macaroon is an identifier (a nonce, the number of a root key, a list of rights), signed with that root key, and any
// number of caveats that its holder may add but not take away. The form is lnd's, byte for byte, so that tools which
// read, restrict or send lnd's macaroons work unchanged; so are the texts of refusals, because clients compare them.
//
// It owns the root keys (Store, a bbolt file encrypted under the wallet's password), the baking and checking of
// macaroons (Bakery), the caveats time-before, ipaddr and iprange, what a caveat says of a spending budget, and the
// macaroon files of a node. It must never know which method needs which right, nor what a method does, nor what was
// spent.
//
//	store, err := macaroons.Open("fulgur-macaroons.db", macaroons.Options{})
//	err = store.Unlock(password)
//	bakery := macaroons.NewBakery(store)
//	raw, err := bakery.Bake(macaroons.DefaultKey, macaroons.ReadOnly)
//	token, err := bakery.Verify(raw, client)              // signature and caveats
//	err = token.Allows("/lnrpc.Lightning/GetInfo", needs) // rights
package macaroons
