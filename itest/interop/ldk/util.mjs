// Small things that every part uses.

import { createHash } from "node:crypto";

export const hex = (bytes) => Buffer.from(bytes).toString("hex");
export const unhex = (text) => new Uint8Array(Buffer.from(text, "hex"));

// display turns a hash around, as people write those of transactions and blocks.
export const display = (bytes) => Buffer.from(bytes).reverse().toString("hex");
export const internal = (text) => new Uint8Array(Buffer.from(text, "hex").reverse());

// pointText is a funding output as people write it, TXID:INDEX.
export const pointText = (p) => `${display(p.get_txid())}:${p.get_index()}`;

export const sha256 = (...parts) => {
  const h = createHash("sha256");
  for (const p of parts) h.update(p);
  return h.digest();
};
export const sha256d = (...parts) => sha256(sha256(...parts));

// value takes what is in an LDK option, undefined for none.
export const value = (option) => option?.some;

// u128 mends a 128-bit number that LDK tells: these bindings write such numbers from the
// smallest byte on and read them from the largest.
export const u128 = (v) => BigInt("0x" + hex(unhex(v.toString(16).padStart(32, "0")).reverse()));

// must gives what a result holds, or throws what it says.
export function must(result, what) {
  if (result.is_ok()) return result.res;
  throw new Error(`${what}: ${describe(result.err)}`);
}

// describe makes an LDK error readable: enums are numbers, variants are classes.
export function describe(err) {
  if (err === undefined || err === null) return "refused";
  if (typeof err !== "object") return String(err);
  if (typeof err.err === "string") return err.err;
  if (typeof err.get_err === "function") return String(err.get_err());
  if (typeof err.to_str === "function") return err.to_str();
  return err.constructor.name.replace(/^.*_/, "");
}

// json writes amounts as numbers; short channel ids are strings already.
export const json = (v) => JSON.stringify(v, (_, x) => (typeof x === "bigint" ? Number(x) : x));
