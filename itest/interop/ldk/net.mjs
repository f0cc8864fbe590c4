// Sockets between LDK's PeerManager and the network. What LDK wants to send waits
// here until the state that it follows from is stored: release() lets it go.

import net from "node:net";
import * as ldk from "lightningdevkit";

const noAddress = () => ldk.Option_SocketAddressZ.constructor_none();

export class Sockets {
  constructor(peers, changed) {
    this.peers = peers; // ldk.PeerManager
    this.changed = changed; // called when LDK has been told something
    this.next = 1n;
    this.waiting = new Set(); // sockets with something to write
    this.open = new Set();
  }

  adopt(socket) {
    const id = this.next++;
    const conn = { socket, out: [], ended: false };
    socket.setNoDelay(true);
    conn.descriptor = ldk.SocketDescriptor.new_impl({
      send_data: (data, resume) => {
        if (resume) socket.resume();
        conn.out.push(Buffer.from(data));
        this.waiting.add(conn);
        return data.length;
      },
      disconnect_socket: () => {
        conn.ended = true; // after what was said before it, such as an error message
        this.waiting.add(conn);
      },
      eq: (other) => other.hash() === id,
      hash: () => id,
    });
    socket.on("data", (data) => {
      if (conn.ended) return;
      const res = this.peers.read_event(conn.descriptor, new Uint8Array(data));
      if (!res.is_ok()) conn.descriptor.disconnect_socket();
      else if (res.res) socket.pause();
      this.changed();
    });
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.open.delete(conn);
      this.waiting.delete(conn);
      this.peers.socket_disconnected(conn.descriptor);
      this.changed();
    });
    this.open.add(conn);
    return conn;
  }

  // release writes what has been waiting.
  release() {
    for (const conn of this.waiting) {
      if (conn.out.length > 0) conn.socket.write(Buffer.concat(conn.out));
      conn.out = [];
      if (conn.ended) conn.socket.destroySoon();
    }
    this.waiting.clear();
  }

  listen(host, port) {
    this.server = net.createServer((socket) => {
      const conn = this.adopt(socket);
      if (!this.peers.new_inbound_connection(conn.descriptor, noAddress()).is_ok()) socket.destroy();
    });
    return new Promise((resolve, reject) => {
      this.server.on("error", reject);
      this.server.listen(port, host, resolve);
    });
  }

  // dial resolves when the connection stands; the handshake comes after it.
  dial(id, host, port) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, host);
      socket.once("error", reject);
      socket.once("connect", () => {
        const conn = this.adopt(socket);
        const res = this.peers.new_outbound_connection(id, conn.descriptor, noAddress());
        if (!res.is_ok()) {
          socket.destroy();
          reject(new Error("connected already"));
          return;
        }
        socket.write(res.res);
        resolve();
      });
    });
  }

  stop() {
    this.server?.close();
    for (const conn of this.open) conn.socket.destroy();
  }
}
