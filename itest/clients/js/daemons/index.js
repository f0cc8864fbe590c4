// The functions of npm's ln-docker-daemons that ln-service's tests call, with its names
// and answers: nodes come from the stage that runs the test, and all are on one chain.
'use strict';

const {setTimeout: delay} = require('node:timers/promises');
const {addPeer, authenticatedLndGrpc, createChainAddress, getChannels, getUtxos, openChannel, getPendingChannels} = require('ln-service');

const patience = 30_000; // milliseconds
const options = [
  '--accept-keysend', '--bitcoin.minhtlc=1000', '--bitcoin.timelockdelta=40', '--trickledelay=1',
];

/** Asks the stage. */
async function ask(what, body) {
  const res = await fetch(`${process.env.FULGUR_STAGE}/${what}`, {method: 'POST', body: JSON.stringify(body)});
  if (!res.ok) {
    throw new Error(`the stage refused ${what}: ${await res.text()}`);
  }
  return res.json();
}

/** Tries until it works. */
async function until(what, f) {
  for (const end = Date.now() + patience; ;) {
    try {
      return await f();
    } catch (err) {
      if (Date.now() > end) {
        throw new Error(`in vain: ${what}`, {cause: err});
      }
      await delay(50);
    }
  }
}

let started = 0;

async function spawn({lnd_configuration, seed}) {
  const name = `node${++started}`;
  const node = await ask('node', {name, seed, wallet: true, options: options.concat(lnd_configuration || [])});
  const rpc = ({macaroon}) => ({lnd: authenticatedLndGrpc({cert: node.cert, macaroon, socket: node.socket}).lnd});
  const {lnd} = rpc({macaroon: node.macaroon});
  const mine = async ({address, count}) => { await ask('mine', {address, count}); };
  const generate = async ({address, count}) => {
    await mine({count, address: address || (await createChainAddress({lnd})).address});
    if (count >= 100) {
      await until('a coin', async () => {
        if (!(await getUtxos({lnd})).utxos.length) {
          throw new Error('no coin yet');
        }
      });
    }
  };
  return {...node, lnd, rpc, mine, generate, kill: async () => { await ask('kill', {name}); }};
}

async function spawnLightningDocker(args) {
  const node = await spawn(args);
  return {
    add_chain_peer: async () => {},
    cert: node.cert,
    chain_socket: '',
    generate: node.mine,
    kill: node.kill,
    ln_socket: node.p2p,
    macaroon: node.macaroon,
    public_key: node.id,
    socket: node.socket,
    tower_socket: '',
  };
}

async function spawnLightningCluster({lnd_configuration, size}) {
  const nodes = [];
  for (let i = 0; i < (size || 1); i++) {
    const {generate, id, kill, lnd, p2p, rpc} = await spawn({lnd_configuration});
    nodes.push({generate, id, kill, lnd, rpc, public_key: id, socket: p2p, tower: ''});
  }
  return {nodes, kill: async () => { await Promise.all(nodes.map(n => n.kill({}))); }};
}

async function setupChannel({capacity, generate, give_tokens, is_private, lnd, partner_csv_delay, to}) {
  const key = to.id || to.public_key;
  await until('connect', () => addPeer({lnd, public_key: key, socket: to.socket}));
  await generate({count: 100});
  const open = await until('open', () => openChannel({
    lnd, give_tokens, is_private, partner_csv_delay,
    chain_fee_tokens_per_vbyte: 1000,
    local_tokens: capacity || 1_000_000,
    partner_public_key: key,
    socket: to.socket,
  }));
  const isOurs = c => c.transaction_id === open.transaction_id && c.transaction_vout === open.transaction_vout;
  await until('pending', async () => {
    if (!(await getPendingChannels({lnd})).pending_channels.some(isOurs)) {
      throw new Error('the channel is not pending');
    }
  });
  await generate({count: 6});
  return until('active', async () => {
    const channel = (await getChannels({lnd, is_active: true})).channels.find(isOurs);
    if (!channel) {
      throw new Error('the channel is not active');
    }
    return channel;
  });
}

module.exports = {setupChannel, spawnLightningCluster, spawnLightningDocker};
