// A Lightning node on LDK (lightningdevkit, Rust compiled to WebAssembly) for the
// interoperability tests: an implementation that shares nothing with ours.
//
//   node peer.mjs --dir DIR --alias NAME --listen HOST:PORT --control HOST:PORT \
//     --rpc HOST:PORT --rpcuser USER --rpcpass PASS --rpccert FILE \
//     [--fees URL] [--type anchors|static_remotekey] [--delay BLOCKS] [--verbose]
//
// One process is one node on regtest. It reads blocks from btcd over JSON-RPC, keeps
// everything below DIR, and may be killed at any moment. It is driven by JSON over HTTP:
// POST /<verb> on the control address, see verbs.mjs for the verbs and their fields.
// "ready" on standard output says that it answers and has seen the chain.
//
//   chain.mjs, blocks.mjs   btcd, blocks, who is led along the best chain
//   fees.mjs                what transactions pay
//   wallet.mjs              the node's own coins
//   store.mjs               the directory
//   net.mjs                 sockets. (lightningdevkit-node-net would do this, but once a
//                           socket's buffer has been full it never writes to it again,
//                           and messages must not leave before the state is stored.)
//   node.mjs                LDK's parts put together, and the turn that everything takes
//   events.mjs              what is done about LDK's events
//   proofs.mjs              the chain's proof of announced channels
//   onion.mjs               onion messages of our own
//   verbs.mjs, control.mjs  what can be asked
//
// What to know about these bindings: a read-only view of the graph locks it until it is
// freed; the setters of offer builders have no effect; peer_by_node_id fails where
// list_peers works; 128-bit numbers come back with their bytes turned around; booleans
// are 0 and 1; objects that are given to LDK must be kept from the collector.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import * as ldk from "lightningdevkit";
import { Backend } from "./chain.mjs";
import { Node } from "./node.mjs";
import { Store } from "./store.mjs";
import { Verbs } from "./verbs.mjs";
import { serve } from "./control.mjs";

const text = { type: "string" };
const { values: o } = parseArgs({
  options: {
    dir: text, alias: text, listen: text, control: text, rpc: text, rpcuser: text, rpcpass: text, rpccert: text,
    fees: text, type: { type: "string", default: "anchors" }, delay: { type: "string", default: "0" }, verbose: { type: "boolean" },
  },
});

const wasm = join(dirname(createRequire(import.meta.url).resolve("lightningdevkit")), "liblightningjs.wasm");
await ldk.initializeWasmFromBinary(readFileSync(wasm));

const node = new Node({
  store: new Store(o.dir),
  backend: new Backend({ url: o.rpc, user: o.rpcuser, pass: o.rpcpass, cert: o.rpccert }),
  alias: o.alias, listen: o.listen, type: o.type, delay: Number(o.delay), feeURL: o.fees, verbose: o.verbose,
});
await node.start();

async function stop() {
  node.stop();
  await node.flushed();
  process.exit(0);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
await serve(o.control, new Verbs(node), stop);
console.log("ready");
