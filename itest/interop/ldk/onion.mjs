// Onion messages that carry something of the tests: what arrived, and how to send one
// along a path.

import * as ldk from "lightningdevkit";
import { hex, must, unhex } from "./util.mjs";

const contents = (type, data) => ldk.OnionMessageContents.new_impl({
  tlv_type: () => type,
  msg_type: () => "test",
  write: () => data,
  debug_str: () => "test",
});

export class OnionBox {
  constructor() {
    this.got = [];
  }

  handler() {
    return ldk.CustomOnionMessageHandler.new_impl({
      handle_custom_message: (message) => {
        this.got.push({ type: Number(message.tlv_type()), data: hex(message.write()) });
        return ldk.Option_C2Tuple_OnionMessageContentsResponseInstructionZZ.constructor_none();
      },
      read_custom_message: (type, data) => ldk.Result_COption_OnionMessageContentsZDecodeErrorZ.constructor_ok(
        type >= 64n ? ldk.Option_OnionMessageContentsZ.constructor_some(contents(type, data)) : ldk.Option_OnionMessageContentsZ.constructor_none()),
      release_pending_custom_messages: () => [],
    });
  }

  // send sends a message to the last node of a path of node ids, the first of which is a
  // peer.
  send(node, path, type, data) {
    const ids = path.map(unhex);
    const route = ldk.OnionMessagePath.constructor_new(ids.slice(0, -1), ldk.Destination.constructor_node(ids.at(-1)),
      ldk.Option_CVec_SocketAddressZZ.constructor_none());
    const made = must(ldk.UtilMethods.constructor_create_onion_message(node.entropy, node.nodeSigner, node.manager.as_NodeIdLookUp(),
      route, contents(BigInt(type), unhex(data)), null), "onion message");
    must(node.messenger.forward_onion_message(made.get_b(), made.get_a()), "onion message");
    node.changed();
  }
}
