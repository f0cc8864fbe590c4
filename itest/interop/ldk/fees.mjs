// What transactions pay, in sat per 1000 weight for each of LDK's purposes: from a
// server of estimates, or fixed.

import * as ldk from "lightningdevkit";

const least = 253;

export class FeeRates {
  constructor(url, changed) {
    Object.assign(this, { url, changed });
    this.set(10_000, 4_000, 4_000);
    this.estimator = ldk.FeeEstimator.new_impl({
      get_est_sat_per_1000_weight: (target) => this[ldk.ConfirmationTarget[target].replace("LDKConfirmationTarget_", "")],
    });
  }

  // set takes sat per 1000 vbytes: for the next block, for the next hour, some day.
  set(soon, hour, day) {
    const weight = (rate) => Math.max(least, Math.floor(rate / 4));
    Object.assign(this, {
      MaximumFeeEstimate: Math.max(25_000, weight(soon)),
      UrgentOnChainSweep: weight(soon), // above the commitment's, so that anchors are spent
      MinAllowedAnchorChannelRemoteFee: least,
      MinAllowedNonAnchorChannelRemoteFee: least,
      AnchorChannelFee: weight(day),
      NonAnchorChannelFee: weight(hour),
      ChannelCloseMinimum: least,
      OutputSpendingFee: weight(hour),
    });
  }

  perVbyte() {
    return Math.ceil((this.OutputSpendingFee * 4) / 1000);
  }

  // look asks the server. LDK looks at its channels' fees when it is told of a tick.
  async look() {
    if (!this.url) return;
    try {
      const answer = await (await fetch(this.url)).json();
      const text = JSON.stringify(answer);
      if (text === this.last) return;
      const first = this.last === undefined;
      this.last = text;
      const rate = answer.fee_by_block_target;
      this.set(rate["2"], rate["6"], rate["144"]);
      if (!first) this.changed();
    } catch (e) {
      console.log("fees:", e.message);
    }
  }
}
