// The directory of a node: one state, replaced as a whole, so that a kill at any moment
// leaves a manager and monitors that belong together. Monitors lie in files of their own
// and are written only when they changed.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";

export class Store {
  constructor(dir) {
    this.dir = dir;
    this.generation = 0;
    this.monitors = new Map(); // funding outpoint -> { file, bytes when not written yet }
    this.old = []; // files that the next state does not name
    mkdirSync(dir, { recursive: true });
  }

  seed() {
    const file = join(this.dir, "seed");
    if (!existsSync(file)) writeFileSync(file, randomBytes(32), { mode: 0o600 });
    return new Uint8Array(readFileSync(file));
  }

  // load gives the last state, undefined at the first start.
  load() {
    const file = join(this.dir, "state.json");
    if (!existsSync(file)) return undefined;
    const state = JSON.parse(readFileSync(file));
    this.generation = state.generation;
    for (const [point, name] of Object.entries(state.monitors)) this.monitors.set(point, { file: name });
    return {
      ...state,
      manager: new Uint8Array(Buffer.from(state.manager, "base64")),
      monitors: [...this.monitors.values()].map((m) => new Uint8Array(readFileSync(join(this.dir, m.file)))),
    };
  }

  putMonitor(point, bytes) {
    this.forget(point);
    this.monitors.set(point, { bytes });
  }

  dropMonitor(point) {
    this.forget(point);
    this.monitors.delete(point);
  }

  forget(point) {
    const file = this.monitors.get(point)?.file;
    if (file) this.old.push(file);
  }

  // save writes everything that follows from what LDK and the wallet have in memory.
  save(manager, rest) {
    this.generation++;
    for (const [point, m] of this.monitors) {
      if (!m.bytes) continue;
      m.file = `monitor-${point.replace(":", "-")}-${this.generation}`;
      writeFileSync(join(this.dir, m.file), m.bytes);
      m.bytes = undefined;
    }
    const state = {
      generation: this.generation,
      manager: Buffer.from(manager).toString("base64"),
      monitors: Object.fromEntries([...this.monitors].map(([point, m]) => [point, m.file])),
      ...rest,
    };
    const file = join(this.dir, "state.json");
    writeFileSync(file + ".new", JSON.stringify(state));
    renameSync(file + ".new", file);
    for (const name of this.old) rmSync(join(this.dir, name), { force: true });
    this.old = [];
  }

  // The graph may be older than the rest: gossip brings what is missing.
  loadGraph() {
    const file = join(this.dir, "graph");
    return existsSync(file) ? new Uint8Array(readFileSync(file)) : undefined;
  }

  saveGraph(bytes) {
    const file = join(this.dir, "graph");
    writeFileSync(file + ".new", bytes);
    renameSync(file + ".new", file);
  }
}
