// Blocks as bytes: where the transactions lie, what they spend and pay.

import { display, sha256d } from "./util.mjs";

class Reader {
  constructor(buf) {
    this.buf = buf;
    this.at = 0;
  }
  bytes(n) {
    const b = this.buf.subarray(this.at, this.at + n);
    if (b.length !== n) throw new Error("transaction is cut off");
    this.at += n;
    return b;
  }
  u32() {
    return this.bytes(4).readUInt32LE();
  }
  u64() {
    return this.bytes(8).readBigUInt64LE();
  }
  count() {
    const n = this.bytes(1)[0];
    if (n < 0xfd) return n;
    if (n === 0xfd) return this.bytes(2).readUInt16LE();
    if (n === 0xfe) return this.u32();
    return Number(this.u64());
  }
}

function readTx(r) {
  const start = r.at;
  const version = r.bytes(4);
  const segwit = r.buf[r.at] === 0;
  if (segwit) r.bytes(2);
  const body = r.at;
  const inputs = [];
  for (let n = r.count(); n > 0; n--) {
    const txid = display(r.bytes(32));
    const index = r.u32();
    r.bytes(r.count()); // script_sig
    r.bytes(4); // sequence
    inputs.push(`${txid}:${index}`);
  }
  const outputs = [];
  for (let n = r.count(); n > 0; n--) {
    const sat = r.u64();
    outputs.push({ sat, script: r.bytes(r.count()) });
  }
  const end = r.at;
  if (segwit) for (const _ of inputs) for (let n = r.count(); n > 0; n--) r.bytes(r.count());
  const locktime = r.bytes(4);
  const txid = display(sha256d(version, r.buf.subarray(body, end), locktime));
  return { txid, inputs, outputs, raw: r.buf.subarray(start, r.at) };
}

export const parseTx = (raw) => readTx(new Reader(Buffer.from(raw)));

export function parseBlock(raw) {
  const r = new Reader(raw);
  const header = r.bytes(80);
  const txs = [];
  for (let n = r.count(); n > 0; n--) txs.push(readTx(r));
  return { raw, header, hash: display(sha256d(header)), prev: display(header.subarray(4, 36)), txs };
}
