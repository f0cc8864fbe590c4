// The control server: POST /<verb> with JSON on loopback.

import http from "node:http";
import { json } from "./util.mjs";

export function serve(address, verbs, stop) {
  const server = http.createServer(async (req, res) => {
    const answer = (status, body) => {
      res.writeHead(status, { "content-type": "application/json" });
      res.end(json(body));
    };
    const verb = req.url.slice(1);
    const parts = [];
    for await (const part of req) parts.push(part);
    try {
      if (verb === "stop") {
        answer(200, {});
        stop();
        return;
      }
      if (verb === "constructor" || !Object.getOwnPropertyNames(Object.getPrototypeOf(verbs)).includes(verb)) throw new Error(`no verb ${verb}`);
      const text = Buffer.concat(parts).toString();
      answer(200, await verbs[verb](text ? JSON.parse(text) : {}));
    } catch (e) {
      console.log(`${verb}: ${e.stack ?? e}`);
      answer(400, { error: e.message ?? String(e) });
    }
  });
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(Number(port), host, () => resolve(server));
  });
}
