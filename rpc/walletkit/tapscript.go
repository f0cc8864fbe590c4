package walletkit

import (
	"bytes"
	"context"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fulgur-ln/fulgur/lnwire"
	"github.com/fulgur-ln/fulgur/proto/walletrpc"
	"github.com/fulgur-ln/fulgur/rpc/translate"
)

// ImportTapscript watches a taproot output that commits to scripts.
func (s *Service) ImportTapscript(_ context.Context, req *walletrpc.ImportTapscriptRequest) (*walletrpc.ImportTapscriptResponse, error) {
	internal, err := schnorr.ParsePubKey(req.InternalPublicKey)
	if err != nil {
		return nil, translate.Mistake("error parsing internal key: %w", err)
	}
	out, err := outputKey(internal, req)
	if err != nil {
		return nil, err
	}
	born, err := birthday(req.Birthday)
	if err != nil {
		return nil, err
	}
	key := schnorr.SerializePubKey(out)
	if err := s.node.ImportOutput(lnwire.PubKey(append([]byte{2}, key...)), born); err != nil {
		return nil, err
	}
	script := append([]byte{txscript.OP_1, txscript.OP_DATA_32}, key...)
	return &walletrpc.ImportTapscriptResponse{P2TrAddress: translate.ScriptAddress(script, s.node.Net())}, nil
}

// outputKey is the internal key, tweaked with what is known of the scripts.
func outputKey(internal *btcec.PublicKey, req *walletrpc.ImportTapscriptRequest) (*btcec.PublicKey, error) {
	switch known := req.Script.(type) {
	case *walletrpc.ImportTapscriptRequest_FullTree:
		var leaves []txscript.TapLeaf
		for _, l := range known.FullTree.GetAllLeaves() {
			leaf, err := tapLeaf(l)
			if err != nil {
				return nil, err
			}
			leaves = append(leaves, leaf)
		}
		if len(leaves) == 0 {
			return nil, translate.Invalid("full_tree", "must have a leaf")
		}
		root := txscript.AssembleTaprootScriptTree(leaves...).RootNode.TapHash()
		return txscript.ComputeTaprootOutputKey(internal, root[:]), nil
	case *walletrpc.ImportTapscriptRequest_PartialReveal:
		proof := known.PartialReveal.GetFullInclusionProof()
		switch {
		case known.PartialReveal.GetRevealedLeaf() == nil:
			return nil, translate.Mistake("missing revealed leaf")
		case len(proof)%txscript.ControlBlockNodeSize != 0:
			return nil, translate.Mistake("invalid inclusion proof length, expected multiple of 32, got %d", len(proof)%txscript.ControlBlockNodeSize)
		case len(proof) > txscript.ControlBlockMaxNodeCount*txscript.ControlBlockNodeSize:
			return nil, translate.Invalid("full_inclusion_proof", "no tree is deeper than %d", txscript.ControlBlockMaxNodeCount)
		}
		leaf, err := tapLeaf(known.PartialReveal.RevealedLeaf)
		if err != nil {
			return nil, err
		}
		block := txscript.ControlBlock{LeafVersion: leaf.LeafVersion, InclusionProof: proof}
		return txscript.ComputeTaprootOutputKey(internal, block.RootHash(leaf.Script)), nil
	case *walletrpc.ImportTapscriptRequest_RootHashOnly:
		switch len(known.RootHashOnly) {
		case 0:
			return nil, translate.Mistake("missing root hash")
		case 32:
			return txscript.ComputeTaprootOutputKey(internal, known.RootHashOnly), nil
		}
		return nil, translate.Invalid("root_hash_only", "has %d bytes instead of 32", len(known.RootHashOnly))
	case *walletrpc.ImportTapscriptRequest_FullKeyOnly:
		if known.FullKeyOnly {
			return internal, nil
		}
	}
	return nil, translate.Mistake("invalid script")
}

// tapLeaf reads a leaf. Its version is even (BIP 341).
func tapLeaf(l *walletrpc.TapLeaf) (txscript.TapLeaf, error) {
	if v := l.GetLeafVersion(); v > 0xff || v%2 != 0 {
		return txscript.TapLeaf{}, translate.Invalid("leaf_version", "must be even and at most 254")
	}
	return txscript.NewTapLeaf(txscript.TapscriptLeafVersion(l.GetLeafVersion()), l.GetScript()), nil
}

// maxPackage is how many transactions a package has at the most.
const maxPackage = 25

// SubmitPackage would give transactions to the backend together.
func (s *Service) SubmitPackage(_ context.Context, req *walletrpc.SubmitPackageRequest) (*walletrpc.SubmitPackageResponse, error) {
	switch n := len(req.RawTxs); {
	case n == 0:
		return nil, translate.Mistake("must provide at least one transaction")
	case n > maxPackage:
		return nil, translate.Mistake("package of %d transactions exceeds the maximum of %d", n, maxPackage)
	}
	for _, raw := range req.RawTxs {
		if err := wire.NewMsgTx(2).Deserialize(bytes.NewReader(raw)); err != nil {
			return nil, translate.Mistake("unable to decode tx: %w", err)
		}
	}
	return nil, status.Error(codes.Unimplemented, "the btcd backend does not support submitpackage")
}
