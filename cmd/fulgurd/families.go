package main

import "github.com/fulgur-ln/fulgur/metrics"

// families are all figures that are served to Prometheus; docs/metrics.md explains them.
var families = []metrics.Family{
	{Name: "fulgur_info", Kind: metrics.IsGauge, Labels: "version, commit, network", Help: "1; what runs is in the labels"},
	{Name: "fulgur_ready", Kind: metrics.IsGauge, Help: "1 when every method of the API works, 0 before: the wallet is locked, or the node starts"},
	{Name: "fulgur_log_lines_total", Kind: metrics.IsCounter, Labels: "level", Help: "lines logged as warnings and errors"},
	{Name: "fulgur_health", Kind: metrics.IsGauge, Labels: "check", Help: "1 when the last look of a health check was good, 0 when it was not"},

	{Name: "fulgur_channels", Kind: metrics.IsGauge, Labels: "state", Help: "channels that are active, inactive (open, but not usable now), opening, or closing"},
	{Name: "fulgur_channel_capacity_sat", Kind: metrics.IsGauge, Help: "capacity of all open channels"},
	{Name: "fulgur_channel_balance_msat", Kind: metrics.IsGauge, Labels: "side", Help: "balance of all open channels, ours (local) and the peers' (remote)"},
	{Name: "fulgur_channel_usable_msat", Kind: metrics.IsGauge, Labels: "direction", Help: "what active channels could send and receive now, summed up"},
	{Name: "fulgur_htlcs_in_flight", Kind: metrics.IsGauge, Labels: "direction", Help: "HTLCs in all channels, in (from peers) and out"},
	{Name: "fulgur_htlcs_in_flight_msat", Kind: metrics.IsGauge, Labels: "direction", Help: "their amounts"},
	{Name: "fulgur_wallet_balance_sat", Kind: metrics.IsGauge, Labels: "kind", Help: "coins on the chain: confirmed, unconfirmed, locked (leased), immature (mined less than 100 blocks ago), and what of them is reserved for closing channels"},

	{Name: "fulgur_payments_in_flight", Kind: metrics.IsGauge, Help: "our own payments that are not over"},
	{Name: "fulgur_payment_seconds", Kind: metrics.IsHistogram, Labels: "outcome", Help: "how long our own payments took that succeeded or failed"},
	{Name: "fulgur_invoices_total", Kind: metrics.IsCounter, Labels: "event", Help: "invoices that were added, and settled"},
	{Name: "fulgur_received_msat_total", Kind: metrics.IsCounter, Help: "what settled invoices brought"},
	{Name: "fulgur_unwanted_htlcs_total", Kind: metrics.IsCounter, Help: "HTLCs for us that were refused or given back"},
	{Name: "fulgur_forwards_total", Kind: metrics.IsCounter, Labels: "outcome", Help: "HTLCs of others: offered to the next node, and how they ended: settled, failed (by a node behind us), or refused (by us, before they went out)"},
	{Name: "fulgur_forward_seconds", Kind: metrics.IsHistogram, Help: "how long forwards took that were settled"},
	{Name: "fulgur_forward_fees_msat_total", Kind: metrics.IsCounter, Help: "what settled forwards earned"},

	{Name: "fulgur_rpc_calls_total", Kind: metrics.IsCounter, Labels: "method, code", Help: "calls of the API that ended, REST included, by method and gRPC code"},
	{Name: "fulgur_rpc_seconds", Kind: metrics.IsHistogram, Labels: "method", Help: "how long calls took, without streams"},
	{Name: "fulgur_rpc_open", Kind: metrics.IsGauge, Help: "calls under way, streams included"},

	{Name: "fulgur_db_commits_total", Kind: metrics.IsCounter, Help: "transactions of the database, each made durable"},
	{Name: "fulgur_db_batches_total", Kind: metrics.IsCounter, Help: "batches written by them"},
	{Name: "fulgur_db_rows_total", Kind: metrics.IsCounter, Help: "rows put and deleted"},
	{Name: "fulgur_db_bytes_total", Kind: metrics.IsCounter, Help: "bytes of keys and values put"},
	{Name: "fulgur_db_sync_seconds", Kind: metrics.IsHistogram, Help: "how long it took to make a transaction durable"},
	{Name: "fulgur_db_queue", Kind: metrics.IsGauge, Help: "batches that wait to be written"},
	{Name: "fulgur_disk_low", Kind: metrics.IsGauge, Help: "1 while no new work is taken because the disk is nearly full"},
	{Name: "fulgur_queue", Kind: metrics.IsGauge, Labels: "of", Help: "what waits inside the node: events of all channels, of the busiest channel, transactions to publish"},
	{Name: "fulgur_signatures_total", Kind: metrics.IsCounter, Labels: "what", Help: "signatures of commitments and HTLCs that were made and verified"},

	{Name: "fulgur_chain_up", Kind: metrics.IsGauge, Help: "1 when the chain backend answers"},
	{Name: "fulgur_chain_stale", Kind: metrics.IsGauge, Help: "1 when its last block may not be the network's"},
	{Name: "fulgur_chain_height", Kind: metrics.IsGauge, Labels: "of", Help: "height of the backend's last block, and of the last one that the node has taken in"},
	{Name: "fulgur_chain_tip_age_seconds", Kind: metrics.IsGauge, Help: "age of the backend's last block, by its header"},
	{Name: "fulgur_chain_synced", Kind: metrics.IsGauge, Help: "1 when the node stands on the backend's last block"},
	{Name: "fulgur_fee_rate_sat_per_kw", Kind: metrics.IsGauge, Labels: "blocks", Help: "fee estimates as last heard of, by the blocks that they are for"},
	{Name: "fulgur_sweeps", Kind: metrics.IsGauge, Labels: "state", Help: "outputs on their way home: published, waiting (for their time or for company), held (something is in the way)"},
	{Name: "fulgur_sweeps_sat", Kind: metrics.IsGauge, Help: "what they hold"},

	{Name: "fulgur_peers", Kind: metrics.IsGauge, Labels: "direction", Help: "connected peers, by who dialled"},
	{Name: "fulgur_peer_queue_bytes", Kind: metrics.IsGauge, Labels: "kind", Help: "messages that wait to be written to peers"},
	{Name: "fulgur_graph_nodes", Kind: metrics.IsGauge, Help: "nodes in the map of the network"},
	{Name: "fulgur_graph_channels", Kind: metrics.IsGauge, Help: "channels in the map"},
	{Name: "fulgur_graph_synced", Kind: metrics.IsGauge, Help: "1 when at least one peer was asked for its whole map"},
	{Name: "fulgur_gossip_messages_total", Kind: metrics.IsCounter, Labels: "result", Help: "messages of gossip: received, accepted, duplicate, stale, early (kept for later), dropped, limited (too many), bad_signature, bad_funding"},
	{Name: "fulgur_gossip_bytes", Kind: metrics.IsGauge, Labels: "of", Help: "gossip that is held: not judged yet (inbox), waiting for something (room), to be relayed (log)"},

	{Name: "go_goroutines", Kind: metrics.IsGauge, Help: "goroutines"},
	{Name: "go_memstats_heap_alloc_bytes", Kind: metrics.IsGauge, Help: "heap in use"},
	{Name: "go_memstats_sys_bytes", Kind: metrics.IsGauge, Help: "memory taken from the system"},
	{Name: "go_gc_cycles_total", Kind: metrics.IsCounter, Help: "garbage collections"},
	{Name: "process_start_time_seconds", Kind: metrics.IsGauge, Help: "when the daemon started, in seconds since 1970"},
	{Name: "process_resident_memory_bytes", Kind: metrics.IsGauge, Help: "memory of the process that is in RAM; Linux only"},
	{Name: "process_cpu_seconds_total", Kind: metrics.IsCounter, Help: "processor time used; Linux only"},
	{Name: "process_open_fds", Kind: metrics.IsGauge, Help: "open files and connections; Linux only"},
}
