// The chain's proof of announced channels: gossip waits until the block that a short
// channel id names has been read.

import * as ldk from "lightningdevkit";

export class UtxoProofs {
  constructor(node) {
    this.node = node;
    this.lookup = ldk.UtxoLookup.new_impl({
      get_utxo: (_chain, scid) => {
        const future = ldk.UtxoFuture.constructor_new();
        this.find(scid, future.clone());
        return ldk.UtxoResult.constructor_async(future);
      },
    });
  }

  async find(scid, future) {
    const [height, index, output] = [Number(scid >> 40n), Number((scid >> 16n) & 0xffffffn), Number(scid & 0xffffn)];
    let result;
    try {
      const { backend } = this.node;
      const block = await backend.block(await backend.call("getblockhash", height));
      const { sat, script } = block.txs[index].outputs[output];
      result = ldk.Result_TxOutUtxoLookupErrorZ.constructor_ok(ldk.TxOut.constructor_new(sat, new Uint8Array(script)));
    } catch {
      result = ldk.Result_TxOutUtxoLookupErrorZ.constructor_err(ldk.UtxoLookupError.LDKUtxoLookupError_UnknownTx);
    }
    if (this.node.stopped) return;
    future.resolve(this.node.graph, this.node.gossip, result);
    this.node.announce(); // our own channel may be the first in the graph now
    this.node.changed();
  }
}
