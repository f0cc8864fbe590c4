// The node's own money on the chain: one key, the coins that blocks paid to it, and the
// transactions that spend them. LDK's anchors take their fees from here too.

import { createECDH } from "node:crypto";
import * as btc from "@scure/btc-signer";
import * as ldk from "lightningdevkit";
import { internal, sha256 } from "./util.mjs";
import { parseTx } from "./blocks.mjs";

const regtest = { bech32: "bcrt", pubKeyHash: 0x6f, scriptHash: 0xc4, wif: 0xef };

// of one input that is ours: outpoint, sequence and witness; and of the rest
const inputVbytes = 68n;
const restVbytes = 90n; // header, a P2WSH output and our change
const satisfaction = 112n; // weight of an empty script_sig and a P2WPKH witness
const dust = 330n;
const loan = 6; // blocks

export class Wallet {
  constructor(seed, feerate) {
    this.key = new Uint8Array(sha256("fulgur interop wallet", seed));
    this.feerate = feerate; // () => sat per vbyte
    this.pay = btc.p2wpkh(publicKey(this.key), regtest);
    this.script = this.pay.script;
    this.address = this.pay.address;
    this.coins = new Map(); // "txid:index" -> { sat, height, spent: height or undefined, used: by us, lent: to LDK at a height }
    this.unconfirmed = new Map(); // txid -> transaction of ours that no block holds yet
    this.height = 0;
  }

  state() {
    const text = (sat) => sat.toString();
    return {
      coins: [...this.coins].map(([point, c]) => [point, { ...c, sat: text(c.sat) }]),
      unconfirmed: [...this.unconfirmed].map(([txid, raw]) => [txid, Buffer.from(raw).toString("hex")]),
    };
  }

  restore(state) {
    this.coins = new Map(state.coins.map(([point, c]) => [point, { ...c, sat: BigInt(c.sat) }]));
    this.unconfirmed = new Map(state.unconfirmed.map(([txid, raw]) => [txid, Buffer.from(raw, "hex")]));
  }

  connected(block, height) {
    this.height = height;
    for (const tx of block.txs) {
      this.unconfirmed.delete(tx.txid);
      for (const point of tx.inputs) {
        const coin = this.coins.get(point);
        if (coin) coin.spent = height;
        this.conflict(point);
      }
      tx.outputs.forEach((out, i) => {
        if (Buffer.compare(out.script, this.script) === 0)
          this.coins.set(`${tx.txid}:${i}`, { sat: out.sat, height });
      });
    }
  }

  // conflict forgets transactions of ours that a block made impossible.
  conflict(point) {
    for (const [txid, raw] of this.unconfirmed) {
      const { inputs } = parseTx(raw);
      if (!inputs.includes(point)) continue;
      this.unconfirmed.delete(txid);
      for (const p of inputs) if (this.coins.has(p)) this.coins.get(p).used = undefined;
    }
  }

  disconnected(_block, height) {
    for (const [point, coin] of this.coins) {
      if (coin.height === height) this.coins.delete(point);
      if (coin.spent === height) coin.spent = undefined;
    }
  }

  // unspent are confirmed coins that no transaction of ours spends.
  unspent() {
    return [...this.coins].filter(([, c]) => c.spent === undefined && !c.used);
  }

  // usable are those that LDK has not just taken for a fee. It does so again with every
  // block as long as it needs them.
  usable() {
    return this.unspent().filter(([, c]) => !(c.lent > this.height - loan));
  }

  balance() {
    return this.unspent().reduce((sum, [, c]) => sum + c.sat, 0n);
  }

  // sent remembers a transaction until a block holds it or makes it impossible.
  sent(raw) {
    this.unconfirmed.set(parseTx(raw).txid, raw);
  }

  // lend marks the coins that a transaction of LDK takes.
  lend(raw) {
    for (const point of parseTx(raw).inputs) {
      const coin = this.coins.get(point);
      if (coin) coin.lent = this.height;
    }
  }

  // change is what our unconfirmed transactions will pay to us.
  change() {
    const outputs = [...this.unconfirmed.values()].flatMap((raw) => parseTx(raw).outputs);
    return outputs.filter((o) => Buffer.compare(o.script, this.script) === 0).reduce((sum, o) => sum + o.sat, 0n);
  }

  // spend pays an amount to a script, or everything for undefined.
  spend(script, sat) {
    const rate = BigInt(this.feerate());
    let [sum, fee, inputs] = [0n, restVbytes * rate, []];
    for (const [point, coin] of this.usable().sort((a, b) => Number(b[1].sat - a[1].sat))) {
      if (sat !== undefined && sum >= sat + fee) break;
      inputs.push([point, coin]);
      sum += coin.sat;
      fee += inputVbytes * rate;
    }
    if (inputs.length === 0 || sum < (sat ?? dust) + fee) throw new Error(`the wallet has ${sum} sat, too few for ${sat ?? "anything"} and a fee of ${fee}`);
    const tx = new btc.Transaction({ allowUnknownOutputs: true });
    for (const [point, coin] of inputs) {
      const [txid, index] = point.split(":");
      tx.addInput({ txid, index: Number(index), witnessUtxo: { script: this.script, amount: coin.sat } });
      coin.used = true;
    }
    tx.addOutput({ script, amount: sat ?? sum - fee });
    if (sat !== undefined && sum - sat - fee > dust) tx.addOutput({ script: this.script, amount: sum - sat - fee });
    tx.sign(this.key);
    tx.finalize();
    return tx.extract();
  }

  outputScript(address) {
    return btc.OutScript.encode(btc.Address(regtest).decode(address));
  }

  // source is what LDK's fee bumping asks.
  source() {
    return ldk.WalletSource.new_impl({
      list_confirmed_utxos: () => ldk.Result_CVec_UtxoZNoneZ.constructor_ok(this.unspent().map(([point, coin]) => {
        const [txid, index] = point.split(":");
        return ldk.Utxo.constructor_new(ldk.OutPoint.constructor_new(internal(txid), Number(index)),
          ldk.TxOut.constructor_new(coin.sat, this.script), satisfaction);
      })),
      get_change_script: () => ldk.Result_CVec_u8ZNoneZ.constructor_ok(this.script),
      sign_psbt: (psbt) => ldk.Result_TransactionNoneZ.constructor_ok(this.signOurs(psbt)),
    });
  }

  // signOurs signs the inputs that are ours; the others keep an empty witness.
  signOurs(psbt) {
    const tx = btc.Transaction.fromPSBT(psbt, { allowUnknown: true, allowUnknownInputs: true, allowUnknownOutputs: true, disableScriptCheck: true });
    const raw = btc.RawTx.decode(tx.unsignedTx);
    raw.segwitFlag = true;
    raw.witnesses = raw.inputs.map((input, i) => {
      if (!this.coins.has(`${Buffer.from(input.txid).toString("hex")}:${input.index}`)) return [];
      tx.signIdx(this.key, i);
      tx.finalizeIdx(i);
      return tx.getInput(i).finalScriptWitness;
    });
    return btc.RawTx.encode(raw);
  }

  // signers are LDK's own, but closing transactions pay to this wallet at once. The user
  // channel id is of no use to them, and these bindings cannot pass large ones on.
  signers(own) {
    return ldk.SignerProvider.new_impl({
      generate_channel_keys_id: (inbound, sat) => own.generate_channel_keys_id(inbound, sat, 0n),
      derive_channel_signer: (sat, id) => own.derive_channel_signer(sat, id),
      read_chan_signer: (bytes) => own.read_chan_signer(bytes),
      get_destination_script: () => ldk.Result_CVec_u8ZNoneZ.constructor_ok(this.script),
      get_shutdown_scriptpubkey: () => ldk.Result_ShutdownScriptNoneZ.constructor_ok(
        ldk.ShutdownScript.constructor_new_p2wpkh(this.script.slice(2))),
    });
  }

  // sweep spends what LDK gives up to us, except what has been paid to the wallet.
  sweep(spender, descriptors, satPerKW) {
    const rest = descriptors.filter((d) => !(d instanceof ldk.SpendableOutputDescriptor_StaticOutput
      && Buffer.compare(d.output.script_pubkey, this.script) === 0));
    if (rest.length === 0) return undefined;
    const res = spender.spend_spendable_outputs(rest, [], this.script, satPerKW, ldk.Option_u32Z.constructor_none());
    if (!res.is_ok()) console.log("outputs are not worth their fee");
    return res.res;
  }
}

function publicKey(secret) {
  const pair = createECDH("secp256k1");
  pair.setPrivateKey(secret);
  return new Uint8Array(pair.getPublicKey(null, "compressed"));
}
