// The chain: btcd's JSON-RPC, and a follower that leads whoever listens along the best
// chain, blocks that left it first.

import https from "node:https";
import { readFileSync } from "node:fs";
import { parseBlock } from "./blocks.mjs";

export class Backend {
  constructor({ url, user, pass, cert }) {
    const [host, port] = url.split(":");
    this.options = {
      host,
      port,
      method: "POST",
      ca: readFileSync(cert),
      auth: `${user}:${pass}`,
      headers: { "content-type": "application/json" },
      agent: new https.Agent({ keepAlive: true, maxSockets: 4 }),
    };
    this.id = 0;
  }

  call(method, ...params) {
    const body = JSON.stringify({ jsonrpc: "1.0", id: ++this.id, method, params });
    return new Promise((resolve, reject) => {
      const req = https.request(this.options, (res) => {
        const parts = [];
        res.on("data", (d) => parts.push(d));
        res.on("error", reject);
        res.on("end", () => {
          try {
            const answer = JSON.parse(Buffer.concat(parts).toString());
            if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
            else resolve(answer.result);
          } catch {
            reject(new Error(`${method}: status ${res.statusCode}`));
          }
        });
      });
      req.on("error", reject);
      req.end(body);
    });
  }

  async tip() {
    const { hash, height } = await this.call("getbestblock");
    return { hash, height };
  }

  async block(hash) {
    return parseBlock(Buffer.from(await this.call("getblock", hash, 0), "hex"));
  }

  // broadcast says why the chain's node did not take a transaction, nothing if it did.
  async broadcast(raw) {
    try {
      await this.call("sendrawtransaction", Buffer.from(raw).toString("hex"));
      return undefined;
    } catch (e) {
      return e.message;
    }
  }
}

// lead takes a listener from the block where it stands to another one, with
// connected(block, height) and disconnected(block, height).
export async function lead(backend, from, to, listener) {
  const forward = [];
  let [old, next] = [from, to];
  const back = async (point) => {
    const block = await backend.block(point.hash);
    return { block, before: { hash: block.prev, height: point.height - 1 } };
  };
  while (old.hash !== next.hash) {
    if (next.height >= old.height) {
      const { block, before } = await back(next);
      forward.push({ block, height: next.height });
      next = before;
    } else {
      const { block, before } = await back(old);
      listener.disconnected(block, old.height);
      old = before;
    }
  }
  for (const { block, height } of forward.reverse()) listener.connected(block, height);
}

// Follower polls the best block and leads its listener there.
export class Follower {
  constructor(backend, at, listener) {
    Object.assign(this, { backend, at, listener });
    this.walk = Promise.resolve();
  }

  // sync comes to where the chain is now. Walks happen one after the other.
  sync() {
    this.walk = this.walk.catch(() => {}).then(async () => {
      const tip = await this.backend.tip();
      if (tip.hash === this.at.hash) return;
      await lead(this.backend, this.at, tip, {
        connected: (b, height) => {
          this.listener.connected(b, height);
          this.at = { hash: b.hash, height };
        },
        disconnected: (b, height) => {
          this.listener.disconnected(b, height);
          this.at = { hash: b.prev, height: height - 1 };
        },
      });
      this.listener.arrived();
    });
    return this.walk;
  }

  start() {
    this.timer = setInterval(() => this.sync().catch((e) => console.log("chain:", e.message)), 150);
  }

  stop() {
    clearInterval(this.timer);
  }
}
