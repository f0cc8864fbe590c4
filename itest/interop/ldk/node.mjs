// One LDK node: its parts put together, and the one loop in which everything happens.
//
// Whatever tells LDK something (a socket, a block, a command) asks for a turn. A turn
// lets LDK work until it has nothing more to say, stores the whole state at once, and
// only then lets messages and transactions out. So a kill at any moment loses nothing
// that anybody else has seen.

import { randomBytes } from "node:crypto";
import * as ldk from "lightningdevkit";
import { Follower, lead } from "./chain.mjs";
import { Events } from "./events.mjs";
import { OnionBox } from "./onion.mjs";
import { Sockets } from "./net.mjs";
import { Wallet } from "./wallet.mjs";
import { FeeRates } from "./fees.mjs";
import { UtxoProofs } from "./proofs.mjs";
import { display, hex, internal, must, pointText, unhex } from "./util.mjs";

const network = ldk.Network.LDKNetwork_Regtest;
const now = () => Math.floor(Date.now() / 1000);

export class Node {
  constructor({ store, backend, alias, listen, type, delay, feeURL, verbose }) {
    Object.assign(this, { store, backend, alias, listen, type, delay });
    this.logger = ldk.Logger.new_impl({
      log: (r) => {
        if (r.get_level() >= (verbose ? ldk.Level.LDKLevel_Trace : ldk.Level.LDKLevel_Debug))
          console.log(ldk.Level[r.get_level()].replace("LDKLevel_", "").padEnd(5), `${r.get_module_path()}:${r.get_line()}`, r.get_args());
      },
    });
    this.rates = new FeeRates(feeURL, () => this.tick());
    this.fees = this.rates.estimator;
    this.outgoing = []; // transactions that wait for the state to be stored
    this.sending = Promise.resolve(); // the last of those that left
    this.broadcaster = ldk.BroadcasterInterface.new_impl({
      broadcast_transactions: (txs) => txs.forEach((raw) => this.publish(raw)),
    });
    this.seed = store.seed();
    this.wallet = new Wallet(this.seed, () => this.rates.perVbyte());
    this.events = new Events(this);
    this.turns = 0;
    this.onions = new OnionBox();
    this.dirty = false;
  }

  // start loads or makes the state, comes to the tip and opens the doors.
  async start() {
    const state = this.store.load();
    const tip = state ? state.at : await this.backend.tip();
    this.wallet.height = tip.height;
    await this.rates.look();
    this.parts();
    await this.loadMonitors(state);
    this.loadManager(state, tip);
    this.peering();
    if (state) {
      this.wallet.restore(state.wallet);
      this.events.restore(state.events);
    }
    this.wanted = new Map(state?.wanted ?? []); // node id -> address to keep connected to
    for (const monitor of this.monitors) {
      const point = monitor.get_funding_txo().get_a();
      if (this.watch.watch_channel(point, monitor) instanceof ldk.Result_ChannelMonitorUpdateStatusNoneZ_Err)
        throw new Error("a monitor is watched twice");
    }
    this.monitors = []; // they are the chain monitor's now
    this.follower = new Follower(this.backend, tip, this.chainListener());
    await this.follower.sync();
    const [host, port] = this.listen.split(":");
    await this.sockets.listen(host, Number(port));
    this.follower.start();
    this.timers = [
      setInterval(() => this.tick(), 60_000),
      setInterval(() => this.ping(), 20_000),
      setInterval(() => this.redial(), 200),
      setInterval(() => this.rates.look(), 500),
    ];
    this.turn();
  }

  // parts are what manager and messenger are made of. All are fields: LDK holds on to
  // them, so must we.
  parts() {
    this.keys = ldk.KeysManager.constructor_new(this.seed, BigInt(now()), randomBytes(4).readUInt32LE() % 1_000_000_000);
    this.entropy = this.keys.as_EntropySource();
    this.nodeSigner = this.keys.as_NodeSigner();
    this.keySigners = this.keys.as_SignerProvider();
    this.signers = this.wallet.signers(this.keySigners);
    this.spender = this.keys.as_OutputSpender();

    this.persist = ldk.Persist.new_impl({
      persist_new_channel: (point, monitor) => this.stored(point, monitor),
      update_persisted_channel: (point, _update, monitor) => this.stored(point, monitor),
      archive_persisted_channel: (point) => this.store.dropMonitor(pointText(point)),
    });
    this.chainMonitor = ldk.ChainMonitor.constructor_new(ldk.Option_FilterZ.constructor_none(),
      this.broadcaster, this.logger, this.fees, this.persist);
    this.watch = this.chainMonitor.as_Watch();

    const saved = this.store.loadGraph();
    this.graph = saved ? must(ldk.NetworkGraph.constructor_read(saved, this.logger), "graph")
      : ldk.NetworkGraph.constructor_new(network, this.logger);
    this.scorer = ldk.ProbabilisticScorer.constructor_new(
      ldk.ProbabilisticScoringDecayParameters.constructor_default(), this.graph, this.logger);
    this.score = ldk.MultiThreadedLockableScore.constructor_new(this.scorer.as_Score());
    this.lockableScore = this.score.as_LockableScore();
    this.router = ldk.DefaultRouter.constructor_new(this.graph, this.logger, this.entropy,
      this.lockableScore, ldk.ProbabilisticScoringFeeParameters.constructor_default()).as_Router();
    this.messageRouter = ldk.DefaultMessageRouter.constructor_new(this.graph, this.entropy).as_MessageRouter();

    this.bumper = ldk.BumpTransactionEventHandler.constructor_new(this.broadcaster,
      ldk.Wallet.constructor_new(this.wallet.source(), this.logger).as_CoinSelectionSource(), this.signers, this.logger);
  }

  stored(point, monitor) {
    this.store.putMonitor(pointText(point), monitor.write());
    this.changed();
    return ldk.ChannelMonitorUpdateStatus.LDKChannelMonitorUpdateStatus_Completed;
  }

  // loadMonitors reads the monitors and leads each to the block where the manager stands:
  // they are not written for every block.
  async loadMonitors(state) {
    this.monitors = [];
    for (const bytes of state?.monitors ?? []) {
      const monitor = must(ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelMonitorZ_read(bytes, this.entropy, this.signers), "monitor").get_b();
      const best = monitor.current_best_block();
      await lead(this.backend, { hash: display(best.get_block_hash()), height: best.get_height() }, state.at, {
        connected: (block, height) => monitor.block_connected(new Uint8Array(block.header),
          block.txs.map((tx, i) => ldk.TwoTuple_usizeTransactionZ.constructor_new(i, new Uint8Array(tx.raw))),
          height, this.broadcaster, this.fees, this.logger),
        disconnected: (block, height) => monitor.block_disconnected(new Uint8Array(block.header), height, this.broadcaster, this.fees, this.logger),
      });
      this.monitors.push(monitor);
    }
  }

  loadManager(state, tip) {
    this.config = userConfig(this.type === "anchors", this.delay);
    if (!state) {
      const best = ldk.BestBlock.constructor_new(internal(tip.hash), tip.height);
      this.manager = ldk.ChannelManager.constructor_new(this.fees, this.watch, this.broadcaster, this.router, this.messageRouter,
        this.logger, this.entropy, this.nodeSigner, this.signers, this.config, ldk.ChainParameters.constructor_new(network, best), now());
      return;
    }
    this.manager = must(ldk.UtilMethods.constructor_C2Tuple_ThirtyTwoBytesChannelManagerZ_read(state.manager, this.entropy, this.nodeSigner,
      this.signers, this.fees, this.watch, this.broadcaster, this.router, this.messageRouter, this.logger, this.config, this.monitors), "manager").get_b();
  }

  // peering is everything between the manager and the sockets.
  peering() {
    this.ignoring = ldk.IgnoringMessageHandler.constructor_new();
    this.messenger = ldk.OnionMessenger.constructor_new(this.entropy, this.nodeSigner, this.logger,
      this.manager.as_NodeIdLookUp(), this.messageRouter, this.manager.as_OffersMessageHandler(),
      this.manager.as_AsyncPaymentsMessageHandler(), this.ignoring.as_DNSResolverMessageHandler(), this.onions.handler());
    this.gossip = ldk.P2PGossipSync.constructor_new(this.graph, ldk.Option_UtxoLookupZ.constructor_none(), this.logger);
    this.proofs = new UtxoProofs(this);
    this.gossip.add_utxo_lookup(ldk.Option_UtxoLookupZ.constructor_some(this.proofs.lookup));
    this.peers = ldk.PeerManager.constructor_new(this.manager.as_ChannelMessageHandler(), this.gossip.as_RoutingMessageHandler(),
      this.messenger.as_OnionMessageHandler(), this.ignoring.as_CustomMessageHandler(), now(),
      new Uint8Array(randomBytes(32)), this.logger, this.nodeSigner);
    this.sockets = new Sockets(this.peers, () => this.changed());
    this.id = hex(this.manager.get_our_node_id());
    this.listeners = [this.chainMonitor.as_Listen(), this.manager.as_Listen()];
    this.providers = [this.manager.as_EventsProvider(), this.chainMonitor.as_EventsProvider(), this.messenger.as_EventsProvider()];
    this.collector = ldk.EventHandler.new_impl({
      handle_event: (event) => {
        this.events.arrived(event);
        return ldk.Result_NoneReplayEventZ.constructor_ok();
      },
    });
  }

  chainListener() {
    return {
      connected: (block, height) => {
        for (const l of this.listeners) l.block_connected(new Uint8Array(block.raw), height);
        this.wallet.connected(block, height);
      },
      disconnected: (block, height) => {
        for (const l of this.listeners) l.block_disconnected(new Uint8Array(block.header), height);
        this.wallet.disconnected(block, height);
      },
      arrived: () => {
        this.chainMonitor.rebroadcast_pending_claims();
        for (const raw of this.wallet.unconfirmed.values()) this.outgoing.push(raw);
        this.announce();
        this.turn();
      },
    };
  }

  // changed asks for a turn, soon: what arrives together is worked on together.
  changed() {
    if (this.dirty || this.stopped) return;
    this.dirty = true;
    setImmediate(() => this.dirty && this.turn());
  }

  turn() {
    if (this.stopped) return;
    this.dirty = false;
    this.turns++;
    do {
      this.peers.process_events();
      for (const p of this.providers) p.process_pending_events(this.collector);
    } while (this.events.work());
    this.save();
    this.sockets.release();
    for (const raw of this.outgoing.splice(0)) this.sending = this.sending.then(() => this.broadcast(raw));
    this.events.stored();
  }

  // flushed waits until what was decided has left, in order.
  async flushed() {
    if (this.dirty) this.turn();
    await this.sending;
  }

  save() {
    this.store.save(this.manager.write(), {
      at: this.follower.at,
      wallet: this.wallet.state(),
      events: this.events.state(),
      wanted: [...this.wanted],
    });
  }

  // publish sends a transaction of LDK's, when the state is stored.
  publish(raw) {
    this.wallet.lend(raw);
    this.outgoing.push(raw);
    this.changed();
  }

  // publishOurs sends one of the wallet's, again and again until a block holds it.
  publishOurs(raw) {
    this.wallet.sent(raw);
    this.outgoing.push(raw);
    this.changed();
  }

  async broadcast(raw) {
    const refused = await this.backend.broadcast(raw).catch((e) => e.message);
    if (refused && !refused.includes("already have")) console.log("transaction not taken:", refused, hex(raw));
  }

  // announce says who we are, once a channel of ours is public.
  announce() {
    if (!this.manager.list_channels().some((c) => c.get_is_announced() && c.get_is_usable())) return;
    const alias = new Uint8Array(32);
    alias.set(Buffer.from(this.alias).subarray(0, 32));
    const [host, port] = this.listen.split(":");
    this.peers.broadcast_node_announcement(new Uint8Array([0xde, 0xa5, 0x84]), alias,
      [ldk.SocketAddress.constructor_tcp_ip_v4(new Uint8Array(host.split(".").map(Number)), Number(port))]);
  }

  tick() {
    this.manager.timer_tick_occurred();
    this.store.saveGraph(this.graph.write());
    this.changed();
  }

  ping() {
    this.peers.timer_tick_occurred();
    this.changed();
  }

  connected(id) {
    return this.peers.list_peers().some((p) => hex(p.get_counterparty_node_id()) === id);
  }

  // redial keeps the connections that were asked for.
  redial() {
    for (const [id, address] of this.wanted) {
      if (this.dialling?.has(id) || this.connected(id)) continue;
      this.dial(id, address).catch(() => {});
    }
  }

  // dial resolves when the peer has said who it is.
  async dial(id, address) {
    this.dialling ??= new Set();
    this.dialling.add(id);
    try {
      const [host, port] = address.split(":");
      await this.sockets.dial(unhex(id), host, Number(port));
      for (const end = Date.now() + 5000; !this.connected(id); await new Promise((r) => setTimeout(r, 10)))
        if (Date.now() > end) throw new Error(`${id} does not answer`);
    } finally {
      this.dialling.delete(id);
    }
  }

  stop() {
    if (this.stopped) return;
    this.turn();
    this.stopped = true;
    this.timers?.forEach(clearInterval);
    this.follower?.stop();
    this.peers.disconnect_all_peers();
    this.sockets.stop();
    this.store.saveGraph(this.graph.write());
  }
}

// userConfig has anchors, and no limit that would stand in the way of a test.
function userConfig(anchors, delay) {
  const config = ldk.UserConfig.constructor_default();
  const handshake = config.get_channel_handshake_config();
  handshake.set_minimum_depth(3);
  handshake.set_negotiate_anchors_zero_fee_htlc_tx(anchors);
  if (delay > handshake.get_our_to_self_delay()) handshake.set_our_to_self_delay(delay);
  handshake.set_max_inbound_htlc_value_in_flight_percent_of_channel(100);
  handshake.set_our_max_accepted_htlcs(483);
  handshake.set_announce_for_forwarding(true);
  config.set_channel_handshake_config(handshake);
  const limits = config.get_channel_handshake_limits();
  limits.set_force_announced_channel_preference(false);
  config.set_channel_handshake_limits(limits);
  const channel = config.get_channel_config();
  channel.set_max_dust_htlc_exposure(ldk.MaxDustHTLCExposure.constructor_fixed_limit_msat(100_000_000n));
  config.set_channel_config(channel);
  config.set_manually_accept_inbound_channels(true);
  config.set_accept_forwards_to_priv_channels(true);
  return config;
}
