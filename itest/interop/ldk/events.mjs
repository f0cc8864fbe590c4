// What LDK tells, and what is done about it: openings, payments in and out, closes,
// money to collect. The records are part of the stored state.

import * as ldk from "lightningdevkit";
import { describe, hex, pointText, u128, value } from "./util.mjs";

const enumName = (e, v) => (v === undefined ? "" : e[v].replace(/^LDK[A-Za-z]*_/, ""));

export class Events {
  constructor(node) {
    this.node = node;
    this.queue = [];
    this.forwards = false; // HTLCs wait to be worked on
    this.opens = new Map(); // user channel id -> { state, point, reason }
    this.sent = new Map(); // payment id -> payment
    this.received = new Map(); // payment hash -> receipt
    this.forwarded = []; // what we carried for others
    this.closed = []; // channels that are over, and why
    this.trusted = new Set(); // whose channels need no confirmations
    this.waiting = new Set();
  }

  state() {
    return {
      opens: [...this.opens], sent: [...this.sent], received: [...this.received],
      forwarded: this.forwarded, closed: this.closed, trusted: [...this.trusted],
    };
  }

  restore(s) {
    for (const name of ["opens", "sent", "received"]) this[name] = new Map(s[name]);
    Object.assign(this, { forwarded: s.forwarded, closed: s.closed });
    for (const id of s.trusted) this.trusted.add(id);
  }

  // until waits for something that turns bring: so() gives it, or undefined.
  until(so) {
    const got = so();
    if (got !== undefined) return Promise.resolve(got);
    return new Promise((resolve) => this.waiting.add({ so, resolve }));
  }

  // stored: the state that holds everything so far is on disk, those who wait may know.
  stored() {
    for (const w of this.waiting) {
      const got = w.so();
      if (got === undefined) continue;
      this.waiting.delete(w);
      w.resolve(got);
    }
  }

  arrived(event) {
    this.queue.push(event);
  }

  // work acts on what has arrived; true if there may be more.
  work() {
    const events = this.queue.splice(0);
    for (const e of events) {
      const act = this[e.constructor.name.replace("Event_", "on")];
      if (act) act.call(this, e);
    }
    const forwards = this.forwards;
    this.forwards = false;
    if (forwards) this.node.manager.process_pending_htlc_forwards();
    return events.length > 0 || forwards;
  }

  // ---- channels

  // opened is the opening of ours that an event is about.
  opened(e) {
    return this.opens.get(u128(e.user_channel_id).toString());
  }

  onOpenChannelRequest(e) {
    const manager = this.node.manager;
    const accept = this.trusted.has(hex(e.counterparty_node_id))
      ? manager.accept_inbound_channel_from_trusted_peer_0conf : manager.accept_inbound_channel;
    const res = accept.call(manager, e.temporary_channel_id, e.counterparty_node_id, 0n);
    if (!res.is_ok()) console.log("not accepted:", describe(res.err));
  }

  onFundingGenerationReady(e) {
    const { manager, wallet } = this.node;
    try {
      const raw = wallet.spend(e.output_script, e.channel_value_satoshis);
      const res = manager.funding_transaction_generated(e.temporary_channel_id, e.counterparty_node_id, raw);
      if (!res.is_ok()) throw new Error(describe(res.err));
      wallet.sent(raw);
    } catch (err) {
      this.opened(e).reason = err.message;
      manager.force_close_without_broadcasting_txn(e.temporary_channel_id, e.counterparty_node_id, "no funding");
    }
  }

  onChannelPending(e) {
    const open = this.opened(e);
    if (open) Object.assign(open, { state: "pending", point: pointText(e.funding_txo) });
  }

  onChannelReady() {
    this.node.announce();
  }

  onChannelClosed(e) {
    const open = this.opened(e);
    const reason = e.reason.to_str();
    if (open) Object.assign(open, { state: "over", reason: open.reason ?? reason });
    this.closed.push({ channel: hex(e.channel_id.get_a()), point: e.channel_funding_txo ? pointText(e.channel_funding_txo) : "", reason });
    console.log("channel closed:", reason);
  }

  onSpendableOutputs(e) {
    const raw = this.node.wallet.sweep(this.node.spender, e.outputs, this.node.rates.OutputSpendingFee);
    if (raw) this.node.publishOurs(raw);
  }

  onBumpTransaction(e) {
    this.node.bumper.handle_event(e.bump_transaction);
  }

  // ---- payments to us

  onPaymentClaimable(e) {
    const hash = hex(e.payment_hash);
    const r = this.receipt(hash);
    if (r.state === "canceled") {
      this.node.manager.fail_htlc_backwards(e.payment_hash);
      return;
    }
    const known = value(e.purpose.preimage());
    const tlvs = e.onion_fields.custom_tlvs().map((t) => ({ type: t.get_a().toString(), data: hex(t.get_b()) }));
    Object.assign(r, { state: "held", msat: Number(e.amount_msat), tlvs, keysend: e.purpose instanceof ldk.PaymentPurpose_SpontaneousPayment });
    if (r.hold || !known) return;
    this.node.manager.claim_funds_with_known_custom_tlvs(known);
  }

  onPaymentClaimed(e) {
    const r = this.receipt(hex(e.payment_hash));
    Object.assign(r, { state: "settled", msat: Number(e.amount_msat), parts: e.htlcs.length });
  }

  receipt(hash) {
    if (!this.received.has(hash)) this.received.set(hash, { state: "open", msat: 0, parts: 0 });
    return this.received.get(hash);
  }

  // ---- payments by us

  payment(id) {
    if (!this.sent.has(id)) this.sent.set(id, { state: "in flight", hash: "", preimage: "", fee: 0, parts: 0, tries: 0, reason: "" });
    return this.sent.get(id);
  }

  onPaymentSent(e) {
    const p = this.payment(hex(value(e.payment_id)));
    Object.assign(p, { state: "succeeded", hash: hex(e.payment_hash), preimage: hex(e.payment_preimage), fee: Number(value(e.fee_paid_msat) ?? 0n) });
  }

  onPaymentPathSuccessful(e) {
    this.payment(hex(e.payment_id)).parts++;
  }

  onPaymentPathFailed(e) {
    const id = value(e.payment_id);
    if (!id) return;
    const p = this.payment(hex(id));
    p.tries++;
    if (e.failure instanceof ldk.PathFailure_InitialSend) p.reason = describe(e.failure.err);
  }

  onPaymentFailed(e) {
    const p = this.payment(hex(e.payment_id));
    Object.assign(p, { state: "failed", reason: enumName(ldk.PaymentFailureReason, value(e.reason)) || p.reason });
  }

  onPendingHTLCsForwardable() {
    this.forwards = true;
  }

  onPaymentForwarded(e) {
    this.forwarded.push({
      fee: Number(value(e.total_fee_earned_msat) ?? 0n), msat: Number(value(e.outbound_amount_forwarded_msat) ?? 0n),
      from: hex(e.prev_node_id ?? []), to: hex(e.next_node_id ?? []), chain: !!e.claim_from_onchain_tx,
    });
  }

  // ---- peers

  // An onion message wants a node that is no peer of ours: its address is in the graph.
  onConnectionNeeded(e) {
    for (const a of e.addresses) {
      if (!(a instanceof ldk.SocketAddress_TcpIpV4)) continue;
      this.node.dial(hex(e.node_id), `${[...a.addr].join(".")}:${a.port}`).catch((err) => console.log("dial:", err.message));
      return;
    }
  }
}
