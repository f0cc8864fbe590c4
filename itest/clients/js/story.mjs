// Two nodes, driven by ln-service from a wallet's making to a channel's end. Every step is
// printed before it begins, so that the last line tells where it stopped.
import assert from 'node:assert/strict';
import {createHash, randomBytes} from 'node:crypto';
import {setTimeout as delay} from 'node:timers/promises';
import ln from 'ln-service';

const patience = 90_000; // milliseconds
const password = 'open sesame, said the thief';

const step = text => console.log(`- ${text}`);

/** Asks the stage for nodes and blocks. */
async function ask(what, body) {
  const res = await fetch(`${process.env.FULGUR_STAGE}/${what}`, {method: 'POST', body: JSON.stringify(body)});
  assert.ok(res.ok, `the stage refused ${what}`);
  return res.json();
}

const mine = (count, address) => ask('mine', {count, address});

/** Looks again and again until something comes. */
async function until(what, look) {
  for (const end = Date.now() + patience; ;) {
    const found = await look();
    if (found) {
      return found;
    }
    assert.ok(Date.now() < end, `in vain: ${what}`);
    await delay(20);
  }
}

/** What a subscription has told so far, by event. */
function listen(sub, ...events) {
  const heard = [];
  events.forEach(event => sub.on(event, data => heard.push({event, ...data})));
  sub.on('error', err => heard.push({event: 'error', err}));
  return {
    heard,
    one: (what, is) => until(what, () => heard.find(is)),
    end: () => sub.removeAllListeners(),
  };
}

/** Does something until a subscription tells it: the library does not say when one stands. */
const stands = (what, act, told) => until(what, async () => {
  await act();
  for (let i = 0; i < 50 && !told(); i++) {
    await delay(20);
  }
  return told();
});

/** The error of a call that must fail, as ln-service tells it: code, message, details. */
async function refused(call, code, message) {
  const err = await call.then(() => assert.fail(`${message} was expected`), e => e);
  assert.deepEqual([err[0], err[1]], [code, message], JSON.stringify(err));
  return err;
}

/** A node that has just been made, and its wallet. */
async function begin(name, passphrase) {
  const at = await ask('node', {name, options: ['--accept-keysend']});
  const stranger = ln.unauthenticatedLndGrpc({cert: at.cert, socket: at.socket});
  const {seed} = await ln.createSeed({lnd: stranger.lnd, passphrase});
  assert.equal(seed.split(' ').length, 24);
  await ln.createWallet({lnd: stranger.lnd, passphrase, password, seed});
  const {macaroon} = await ask('made', {name});
  const {lnd} = ln.authenticatedLndGrpc({cert: at.cert, macaroon, socket: at.socket});
  const node = {...at, name, lnd, macaroon, stranger: stranger.lnd};
  await active(node);
  node.id = (await ln.getIdentity({lnd})).public_key;
  return node;
}

/** Not by ln.stopDaemon, which does not know how its own gRPC says that nobody listens. */
const stop = node => new Promise((done, fail) => node.lnd.default.stopDaemon({}, err => err ? fail(err) : done()));

async function active(node) {
  const status = listen(ln.subscribeToWalletStatus({lnd: node.stranger}), 'absent', 'active', 'locked', 'ready', 'starting', 'waiting');
  await status.one(`${node.name} is ready`, e => e.event === 'ready');
  status.end();
  await until(`${node.name} has seen the chain`, async () => (await ln.getWalletInfo({lnd: node.lnd})).is_synced_to_chain);
}

step('wallets are made');
const alice = await begin('alice', 'of a seed');
const bob = await begin('bob');
const info = await ln.getWalletInfo({lnd: alice.lnd});
assert.equal(info.public_key, alice.id);
assert.equal(info.is_synced_to_chain, true);
assert.equal(info.chains.length, 1);
await ln.getWalletVersion({lnd: alice.lnd});
await refused(ln.createWallet({lnd: alice.stranger, password, seed: 'abandon'}), 503, 'UnexpectedInitWalletError');

step('a node is stopped and its wallet opened again');
await stop(alice);
await ask('stop', {name: 'alice'});
await refused(ln.unlockWallet({lnd: alice.stranger, password: 'wrong password'}), 401, 'InvalidWalletUnlockPassword');
await ln.unlockWallet({lnd: alice.stranger, password});
await active(alice);

step('coins');
// Nothing tells when these two stand: they have until all the blocks are mined.
const channels = listen(ln.subscribeToChannels({lnd: alice.lnd}), 'channel_opening', 'channel_opened', 'channel_active_changed', 'channel_closed');
const backups = listen(ln.subscribeToBackups({lnd: alice.lnd}), 'backup');
const blocks = listen(ln.subscribeToBlocks({lnd: alice.lnd}), 'block');
const transactions = listen(ln.subscribeToTransactions({lnd: alice.lnd}), 'chain_transaction');
await stands('blocks are told', () => mine(1), () => blocks.heard.some(e => e.height > info.current_block_height));
const {address} = await ln.createChainAddress({lnd: alice.lnd, format: 'p2tr'});
await mine(1, address);
await mine(100);
const {chain_balance: coins} = await until('coins', async () => {
  const balance = await ln.getChainBalance({lnd: alice.lnd});
  return balance.chain_balance && balance;
});
const {utxos: [coin]} = await ln.getUtxos({lnd: alice.lnd});
assert.equal(coin.tokens, coins);
assert.equal(coin.address, address);
await transactions.one('the coins are told', e => e.id === coin.transaction_id);
await blocks.one('a block is told', e => e.height > info.current_block_height);
blocks.end();
transactions.end();

step('a channel is opened');
const peers = listen(ln.subscribeToPeers({lnd: bob.lnd}), 'connected', 'disconnected');
await stands('bob is told of alice', async () => {
  await ln.removePeer({lnd: alice.lnd, public_key: bob.id}).catch(() => {});
  await ln.addPeer({lnd: alice.lnd, public_key: bob.id, socket: bob.p2p});
}, () => peers.heard.some(e => e.event === 'connected' && e.public_key === alice.id));
await until('they are connected', async () => (await ln.getPeers({lnd: alice.lnd})).peers.length === 1);
assert.equal((await ln.getPeers({lnd: alice.lnd})).peers[0].public_key, bob.id);
const capacity = 1_000_000;
const open = await ln.openChannel({lnd: alice.lnd, local_tokens: capacity, give_tokens: 100_000, partner_public_key: bob.id});
const isOpen = c => c.transaction_id === open.transaction_id && c.transaction_vout === open.transaction_vout;
await channels.one('an opening is told', e => e.event === 'channel_opening' && isOpen(e));
assert.ok((await ln.getPendingChannels({lnd: alice.lnd})).pending_channels.some(isOpen));
await mine(6);
await channels.one('a channel is told', e => e.event === 'channel_opened' && isOpen(e));
const channel = await until('the channel is active', async () =>
  (await ln.getChannels({lnd: alice.lnd, is_active: true})).channels.find(isOpen));
assert.equal(channel.capacity, capacity);
assert.equal(channel.partner_public_key, bob.id);
await until('bob can receive', async () => (await ln.getChannels({lnd: bob.lnd, is_active: true})).channels.find(isOpen));

step('the channel is in the graph');
const edge = await until('both policies', async () => {
  const known = await ln.getChannel({lnd: alice.lnd, id: channel.id}).catch(() => undefined);
  return known?.policies.every(p => p.cltv_delta) && known;
});
assert.equal(edge.capacity, capacity);
const graph = await ln.getNetworkGraph({lnd: alice.lnd});
assert.equal(graph.channels.length, 1);
assert.equal(graph.nodes.length, 2);
await ln.updateRoutingFees({lnd: alice.lnd, base_fee_mtokens: '7', fee_rate: 8, transaction_id: open.transaction_id, transaction_vout: open.transaction_vout});
assert.equal((await ln.getFeeRates({lnd: alice.lnd})).channels[0].base_fee_mtokens, '7');

step('an invoice is paid');
const invoices = listen(ln.subscribeToInvoices({lnd: bob.lnd}), 'invoice_updated');
await stands('invoices are told', () => ln.createInvoice({lnd: bob.lnd, tokens: 1}), () => invoices.heard.length > 0);
const invoice = await ln.createInvoice({lnd: bob.lnd, tokens: 12_345, description: 'tea for two'});
const decoded = await ln.decodePaymentRequest({lnd: alice.lnd, request: invoice.request});
assert.equal(decoded.tokens, 12_345);
assert.equal(decoded.destination, bob.id);
assert.equal(decoded.description, 'tea for two');
assert.ok((await ln.getRouteToDestination({lnd: alice.lnd, destination: bob.id, tokens: 12_345})).route);
const paid = await ln.pay({lnd: alice.lnd, request: invoice.request});
assert.equal(paid.id, invoice.id);
assert.equal(paid.secret, invoice.secret);
assert.equal(paid.tokens, 12_345);
await invoices.one('the invoice is told as paid', e => e.id === invoice.id && e.is_confirmed && e.received === 12_345);
assert.equal((await ln.getInvoice({lnd: bob.lnd, id: invoice.id})).is_confirmed, true);
assert.equal((await ln.getPayment({lnd: alice.lnd, id: invoice.id})).payment.secret, invoice.secret);
const twice = await refused(ln.pay({lnd: alice.lnd, request: invoice.request}), 503, 'UnexpectedPaymentError');
assert.equal(twice[2].err.details, 'invoice is already paid');

step('a payment without an invoice, with a message');
const secret = randomBytes(32).toString('hex');
const id = createHash('sha256').update(Buffer.from(secret, 'hex')).digest('hex');
await ln.payViaPaymentDetails({
  lnd: alice.lnd, id, destination: bob.id, tokens: 100,
  messages: [{type: '5482373484', value: secret}, {type: '34349334', value: Buffer.from('hello').toString('hex')}],
});
const gift = await invoices.one('the gift is told', e => e.id === id && e.is_confirmed);
assert.equal(gift.payments[0].messages.find(m => m.type === '34349334').value, Buffer.from('hello').toString('hex'));

step('payments that are held');
for (const end of ['settled', 'cancelled']) {
  const preimage = randomBytes(32);
  const hash = createHash('sha256').update(preimage).digest('hex');
  const held = await ln.createHodlInvoice({lnd: bob.lnd, id: hash, tokens: 5_000});
  const told = listen(ln.subscribeToInvoice({lnd: bob.lnd, id: hash}), 'invoice_updated'); // begins with what is
  const payment = ln.payViaPaymentRequest({lnd: alice.lnd, request: held.request}).then(p => p, err => err);
  await told.one('it is held', e => e.is_held);
  assert.equal((await ln.getChannels({lnd: alice.lnd})).channels[0].pending_payments.length, 1);
  if (end === 'settled') {
    await ln.settleHodlInvoice({lnd: bob.lnd, secret: preimage.toString('hex')});
    assert.equal((await payment).secret, preimage.toString('hex'));
    await told.one('it is settled', e => e.is_confirmed);
  } else {
    await ln.cancelHodlInvoice({lnd: bob.lnd, id: hash});
    assert.equal((await payment)[1], 'PaymentRejectedByDestination');
    await told.one('it is cancelled', e => e.is_canceled);
  }
  told.end();
}
invoices.end();

step('lists, page by page');
for (let i = 0; i < 3; i++) {
  await ln.createInvoice({lnd: bob.lnd, tokens: 1 + i});
}
const all = (await ln.getInvoices({lnd: bob.lnd, limit: 100})).invoices;
let seen = [];
for (let page = {next: undefined}, first = true; first || page.next; first = false) {
  page = await ln.getInvoices({lnd: bob.lnd, ...(first ? {limit: 2} : {token: page.next})});
  seen = seen.concat(page.invoices);
}
assert.deepEqual(seen.map(i => i.id), all.map(i => i.id));
const {payments} = await ln.getPayments({lnd: alice.lnd});
assert.ok(payments.some(p => p.id === invoice.id && p.is_confirmed));
assert.ok((await ln.getFailedPayments({lnd: alice.lnd})).payments.length >= 1);

step('mistakes are told in words that the library knows');
const unknown = await refused(ln.getInvoice({lnd: bob.lnd, id: '00'.repeat(32)}), 503, 'UnexpectedLookupInvoiceErr');
assert.equal(unknown[2].err.details, 'unable to locate invoice');
await refused(ln.getNode({lnd: alice.lnd, public_key: '02'.repeat(33)}), 404, 'NodeIsUnknown');
await refused(ln.openChannel({lnd: alice.lnd, local_tokens: 15_000_000, partner_public_key: '02'.repeat(33)}), 503, 'PeerIsNotOnline');

step('a credential for less');
const access = await ln.grantAccess({lnd: alice.lnd, is_ok_to_get_wallet_info: true});
const less = ln.authenticatedLndGrpc({cert: alice.cert, macaroon: access.macaroon, socket: alice.socket});
assert.equal((await ln.getWalletInfo({lnd: less.lnd})).public_key, alice.id);
const denied = await ln.createChainAddress({lnd: less.lnd}).then(() => assert.fail('denied was expected'), err => err);
assert.match(JSON.stringify(denied), /permission denied/);

step('messages are signed');
const {signature} = await ln.signMessage({lnd: alice.lnd, message: 'it was me'});
assert.equal((await ln.verifyMessage({lnd: bob.lnd, message: 'it was me', signature})).signed_by, alice.id);

step('backups');
await backups.one('a backup with the channel is told', e => e.channels.some(isOpen));
backups.end();
const multi = await ln.getBackups({lnd: alice.lnd});
assert.equal((await ln.verifyBackups({lnd: alice.lnd, backup: multi.backup, channels: multi.channels})).is_valid, true);
const single = await ln.getBackup({lnd: alice.lnd, transaction_id: open.transaction_id, transaction_vout: open.transaction_vout});
assert.equal((await ln.verifyBackup({lnd: alice.lnd, ...single, transaction_id: open.transaction_id, transaction_vout: open.transaction_vout})).is_valid, true);

step('the channel is closed');
const close = await ln.closeChannel({lnd: alice.lnd, transaction_id: open.transaction_id, transaction_vout: open.transaction_vout});
assert.ok((await ln.getPendingChannels({lnd: alice.lnd})).pending_channels.some(c => c.is_closing && isOpen(c)));
await mine(6);
const closed = await channels.one('the close is told', e => e.event === 'channel_closed' && isOpen(e));
assert.equal(closed.close_transaction_id, close.transaction_id);
assert.equal(closed.is_cooperative_close, true);
channels.end();
peers.end();
const {channels: gone} = await ln.getClosedChannels({lnd: alice.lnd});
assert.ok(gone.some(isOpen));
await until('what was in the channel is in the wallets', async () =>
  (await ln.getChainBalance({lnd: bob.lnd})).chain_balance > 100_000);

for (const node of [alice, bob]) {
  await stop(node);
  await ask('end', {name: node.name});
}
console.log('the end');
process.exit(0);
