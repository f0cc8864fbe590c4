// What can be asked of the node: one method for each path of the control server. Each
// takes the request's JSON and gives the answer's, or throws why not.

import { randomBytes } from "node:crypto";
import * as ldk from "lightningdevkit";
import { hex, must, pointText, sha256, unhex, value } from "./util.mjs";

const u64 = (v) => (v === undefined ? ldk.Option_u64Z.constructor_none() : ldk.Option_u64Z.constructor_some(BigInt(v)));
const u32 = (v) => (v === undefined ? ldk.Option_u32Z.constructor_none() : ldk.Option_u32Z.constructor_some(v));
const u16 = (v) => (v === undefined ? ldk.Option_u16Z.constructor_none() : ldk.Option_u16Z.constructor_some(v));
const hash32 = (v) => (v === undefined ? ldk.Option_ThirtyTwoBytesZ.constructor_none() : ldk.Option_ThirtyTwoBytesZ.constructor_some(v));
const retries = () => ldk.Retry.constructor_attempts(10);
const scidText = (v) => BigInt.asUintN(64, v ?? 0n).toString(); // the bindings tell signed ones
const sum = (list, of) => list.reduce((total, x) => total + of(x), 0n);

export class Verbs {
  constructor(node) {
    this.node = node;
  }

  // ---- the node and the chain

  info() {
    const { node } = this;
    const best = node.manager.current_best_block();
    return { id: node.id, version: "0.1.2-0", height: best.get_height(), features: hex(node.manager.init_features().write()) };
  }

  async sync() {
    await this.node.follower.sync();
    await this.node.flushed(); // what it answers to the last block has left
    return this.info();
  }

  address() {
    return { address: this.node.wallet.address };
  }

  balance() {
    const { wallet } = this.node;
    const confirmed = wallet.balance();
    return { confirmed, total: confirmed + wallet.change() };
  }

  async withdraw({ address, sat }) {
    const { node } = this;
    node.publishOurs(node.wallet.spend(node.wallet.outputScript(address), sat === undefined ? undefined : BigInt(sat)));
    await node.flushed();
    return {};
  }

  tick() {
    this.node.tick();
    return {};
  }

  // ---- peers

  async connect({ id, address }) {
    const { node } = this;
    node.wanted.set(id, address);
    node.changed();
    if (!node.connected(id)) await node.dial(id, address).catch((e) => { if (!node.connected(id)) throw e; });
    return {};
  }

  disconnect({ id }) {
    const { node } = this;
    node.wanted.delete(id);
    node.peers.disconnect_by_node_id(unhex(id));
    node.changed();
    return {};
  }

  peers() {
    return this.node.peers.list_peers().map((p) => ({
      id: hex(p.get_counterparty_node_id()), inbound: !!p.get_is_inbound_connection(), features: hex(p.get_init_features().write()),
    }));
  }

  trust({ id }) {
    this.node.events.trusted.add(id);
    this.node.changed();
    return {};
  }

  // ---- channels

  async open({ to, sat, push_msat = 0, private: hidden = false, alias = false }) {
    const { node } = this;
    const config = node.config.clone();
    const handshake = config.get_channel_handshake_config();
    handshake.set_announce_for_forwarding(!hidden);
    handshake.set_negotiate_scid_privacy(alias);
    config.set_channel_handshake_config(handshake);
    const user = randomBytes(8).readBigUInt64LE();
    const open = { state: "asked" };
    node.events.opens.set(user.toString(), open);
    must(node.manager.create_channel(unhex(to), BigInt(sat), BigInt(push_msat), user, null, config), "open");
    node.changed();
    await node.events.until(() => (open.state === "asked" ? undefined : open.state));
    if (!open.point) throw new Error(open.reason);
    await node.flushed();
    return { point: open.point };
  }

  channels() {
    return this.node.manager.list_channels().filter((c) => c.get_funding_txo()).map(channel);
  }

  find(point) {
    const c = this.node.manager.list_channels().find((c) => c.get_funding_txo() && pointText(c.get_funding_txo()) === point);
    if (!c) throw new Error(`no channel ${point}`);
    return c;
  }

  async close({ point, force = false }) {
    const { manager } = this.node;
    const c = this.find(point);
    const [id, peer] = [c.get_channel_id(), c.get_counterparty().get_node_id()];
    must(force ? manager.force_close_broadcasting_latest_txn(id, peer, "closed by hand") : manager.close_channel(id, peer), "close");
    this.node.changed();
    await this.node.flushed();
    return {};
  }

  // closing is what is still to come from channels that are over.
  closing() {
    const { node } = this;
    const balances = node.chainMonitor.get_claimable_balances(node.manager.list_channels())
      .map((b) => ({ kind: b.constructor.name.replace("Balance_", ""), sat: b.claimable_amount_satoshis() }));
    return { balances: balances.filter((b) => b.sat > 0n), sweeps: [...node.wallet.unconfirmed.keys()], closed: node.events.closed };
  }

  policy({ point, base_msat, ppm, delta }) {
    const c = this.find(point);
    const config = c.get_config();
    if (base_msat !== undefined) config.set_forwarding_fee_base_msat(base_msat);
    if (ppm !== undefined) config.set_forwarding_fee_proportional_millionths(ppm);
    if (delta) config.set_cltv_expiry_delta(delta);
    must(this.node.manager.update_channel_config(c.get_counterparty().get_node_id(), [c.get_channel_id()], config), "policy");
    this.node.changed();
    return {};
  }

  // ---- payments to us

  invoice({ msat, memo = "", hash, hold = false, expiry = 3600, final_delta }) {
    const { node } = this;
    const memoText = ldk.Bolt11InvoiceDescription.constructor_direct(must(ldk.Description.constructor_new(memo), "memo"));
    const made = must(node.manager.create_bolt11_invoice(u64(msat || undefined), memoText, u32(expiry), u16(final_delta),
      hash32(hash && unhex(hash))), "invoice");
    const r = node.events.receipt(hex(made.payment_hash()));
    r.hold = hold || hash !== undefined;
    node.changed();
    return { bolt11: made.to_str(), hash: hex(made.payment_hash()), secret: hex(made.payment_secret()) };
  }

  settle({ preimage }) {
    const hash = hex(sha256(unhex(preimage)));
    const r = this.node.events.received.get(hash);
    if (r?.state !== "held") throw new Error(`nothing is held for ${hash}`);
    this.node.manager.claim_funds(unhex(preimage));
    this.node.changed();
    return {};
  }

  // claim settles what is held for an invoice whose preimage LDK made itself.
  claim({ hash, secret }) {
    const preimage = must(this.node.manager.get_payment_preimage(unhex(hash), unhex(secret)), "preimage");
    return this.settle({ preimage: hex(preimage) });
  }

  cancel({ hash }) {
    const r = this.node.events.receipt(hash);
    if (r.state === "settled") throw new Error("paid already");
    if (r.state === "held") this.node.manager.fail_htlc_backwards(unhex(hash));
    r.state = "canceled";
    this.node.changed();
    return {};
  }

  received({ hash }) {
    return this.node.events.received.get(hash) ?? { state: "unknown" };
  }

  // receipts are all payments that came, for those nobody made an invoice for.
  receipts() {
    return Object.fromEntries(this.node.events.received);
  }

  // ---- payments by us

  async pay({ bolt11, msat, parts, fee_msat, wait = true }) {
    const parsed = must(ldk.Bolt11Invoice.constructor_from_str(bolt11), "invoice");
    const params = parsed.amount_milli_satoshis() instanceof ldk.Option_u64Z_Some
      ? ldk.UtilMethods.constructor_payment_parameters_from_invoice(parsed)
      : ldk.UtilMethods.constructor_payment_parameters_from_variable_amount_invoice(parsed, BigInt(msat ?? 0));
    const found = must(params, "invoice");
    const route = limited(found.get_c(), parts, fee_msat);
    return this.begin(hex(found.get_a()), wait, () => must(
      this.node.manager.send_payment(found.get_a(), found.get_b(), found.get_a(), route, retries()), "pay"));
  }

  async keysend({ to, msat, fee_msat, parts, tlvs = [], wait = true }) {
    const preimage = new Uint8Array(randomBytes(32));
    const hash = new Uint8Array(sha256(preimage));
    const payee = ldk.PaymentParameters.constructor_for_keysend(unhex(to), 40, (parts ?? 1) > 1);
    const route = limited(ldk.RouteParameters.constructor_from_payment_params_and_value(payee, BigInt(msat)), parts, fee_msat);
    const fields = must(ldk.RecipientOnionFields.constructor_spontaneous_empty().with_custom_tlvs(
      tlvs.map((t) => ldk.TwoTuple_u64CVec_u8ZZ.constructor_new(BigInt(t.type), unhex(t.data)))), "tlvs");
    return this.begin(hex(hash), wait, () => must(
      this.node.manager.send_spontaneous_payment(hash32(preimage), fields, hash, route, retries()), "keysend"));
  }

  // begin starts a payment and waits for its end; LDK may refuse to try at all.
  async begin(id, wait, start) {
    const { events } = this.node;
    const before = events.sent.get(id);
    if (before && before.state !== "failed") throw new Error(`payment ${id} is ${before.state}`);
    events.sent.delete(id);
    const p = events.payment(id);
    p.hash = id;
    try {
      start();
    } catch (e) {
      Object.assign(p, { state: "failed", reason: e.message });
    }
    this.node.changed();
    return wait ? events.until(() => (this.over(p) ? p : undefined)) : p;
  }

  // over: nothing of a payment is under way any more, so that its parts are counted.
  over(p) {
    if (p.state === "in flight") return false;
    if (p.state === "failed") return true;
    return p.parts > 0 && !this.underWay().has(p.hash);
  }

  // underWay are the hashes of what we have sent and not yet got an end of, looked up
  // once in a turn.
  underWay() {
    const { node } = this;
    if (this.lookedAt !== node.turns) {
      this.lookedAt = node.turns;
      this.hashes = new Set(node.manager.list_channels().flatMap((c) => c.get_pending_outbound_htlcs()).map((h) => hex(h.get_payment_hash())));
    }
    return this.hashes;
  }

  sent({ id }) {
    return this.node.events.sent.get(id) ?? { state: "unknown" };
  }

  forwards() {
    return this.node.events.forwarded;
  }

  // ---- offers

  // offer makes an offer whose payer names the amount: the setters of LDK's builder have
  // no effect through these bindings.
  offer() {
    const builder = must(this.node.manager.create_offer_builder(u64()), "offer");
    return { offer: must(builder.build(), "offer").to_str() };
  }

  async payoffer({ offer, msat, fee_msat, wait = true }) {
    const parsed = must(ldk.Offer.constructor_from_str(offer), "offer");
    const id = new Uint8Array(randomBytes(32));
    return this.begin(hex(id), wait, () => must(this.node.manager.pay_for_offer(parsed, u64(), u64(msat),
      ldk.Option_StrZ.constructor_none(), id, retries(), u64(fee_msat)), "offer"));
  }

  // ---- onion messages

  message({ path, type, data }) {
    this.node.onions.send(this.node, path, type, data);
    return {};
  }

  messages() {
    return this.node.onions.got;
  }

  // ---- what gossip has told

  graph() {
    return this.view((g) => ({
      channels: [...g.list_channels()].map((scid) => edge(scid, g.channel(scid))),
      nodes: g.list_nodes().map((id) => announced(hex(id.as_slice()), g.node(id))),
    }));
  }

  edge({ scid }) {
    return this.view((g) => {
      const info = g.channel(BigInt(scid));
      return info ? edge(BigInt(scid), info) : null;
    });
  }

  alias({ id }) {
    return this.view((g) => {
      const info = g.node(ldk.NodeId.constructor_from_pubkey(unhex(id)));
      return info ? announced(id, info) : { id, alias: "" };
    });
  }

  // view reads the graph. The view locks it, and nothing else happens until it is freed.
  view(read) {
    const g = this.node.graph.read_only();
    try {
      return read(g);
    } finally {
      g.free();
    }
  }
}

function limited(route, parts, fee) {
  if (fee !== undefined) route.set_max_total_routing_fee_msat(u64(fee));
  else route.set_max_total_routing_fee_msat(u64());
  if (parts) {
    const payee = route.get_payment_params();
    payee.set_max_path_count(parts);
    route.set_payment_params(payee);
  }
  return route;
}

// channel is one channel; LDK tells what can be sent, so the reserves are added to learn
// what each side owns.
function channel(c) {
  const other = c.get_counterparty();
  const [into, outof] = [c.get_pending_inbound_htlcs(), c.get_pending_outbound_htlcs()];
  const all = c.get_channel_value_satoshis() * 1000n;
  const pending = sum([...into, ...outof], (h) => h.get_amount_msat());
  const [sendable, receivable] = [c.get_outbound_capacity_msat(), c.get_inbound_capacity_msat()];
  let local, remote;
  if (sendable > 0n) {
    local = sendable + (value(c.get_unspendable_punishment_reserve()) ?? 0n) * 1000n;
    remote = all - local - pending;
  } else {
    remote = receivable + other.get_unspendable_punishment_reserve() * 1000n;
    local = all - remote - pending;
  }
  const type = c.get_channel_type();
  const scid = value(c.get_short_channel_id()) ?? value(c.get_inbound_scid_alias());
  return {
    point: pointText(c.get_funding_txo()),
    channel: hex(c.get_channel_id().get_a()),
    scid: scidText(scid),
    alias: scidText(value(c.get_inbound_scid_alias())),
    peer: hex(other.get_node_id()),
    type: type?.supports_anchors_zero_fee_htlc_tx() ? "anchors" : "static_remotekey",
    zero_conf: !!type?.requires_zero_conf(),
    scid_alias: !!type?.requires_scid_privacy(),
    opener: !!c.get_is_outbound(),
    private: !c.get_is_announced(),
    ready: !!c.get_is_channel_ready(),
    active: !!c.get_is_usable(),
    confirmations: value(c.get_confirmations()) ?? 0,
    capacity: c.get_channel_value_satoshis(),
    local_msat: local,
    remote_msat: remote,
    sendable_msat: c.get_next_outbound_htlc_limit_msat(),
    htlcs: into.length + outof.length,
  };
}

function edge(scid, info) {
  const [one, two] = [hex(info.get_node_one().as_slice()), hex(info.get_node_two().as_slice())];
  const policies = {};
  for (const [id, update] of [[one, info.get_one_to_two()], [two, info.get_two_to_one()]]) {
    if (!update) continue;
    policies[id] = {
      base_msat: update.get_fees().get_base_msat(), ppm: update.get_fees().get_proportional_millionths(),
      delta: update.get_cltv_expiry_delta(), min_msat: update.get_htlc_minimum_msat(), max_msat: update.get_htlc_maximum_msat(),
      disabled: !update.get_enabled(), time: update.get_last_update(),
    };
  }
  return { scid: scidText(scid), nodes: [one, two], capacity: value(info.get_capacity_sats()) ?? 0n, policies };
}

function announced(id, info) {
  const a = value(info.get_announcement_info());
  if (!a) return { id, alias: "" };
  const name = Buffer.from(a.alias().get_a());
  return { id, alias: name.subarray(0, (name.indexOf(0) + 33) % 33).toString(), features: hex(a.features().write()), addresses: a.addresses().map((x) => x.to_str()) };
}
