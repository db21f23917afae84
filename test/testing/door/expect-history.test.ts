// Goal: expectations hold of histories of which they are true, and say of all others how the run went.
// Method: histories of simulations; each expectation is tried where it holds and where it does not.

import { expect, test } from "vitest";
import { expectHistory, type HistoryExpectation } from "../../../src/testing/door/expect-history.ts";
import { mock } from "../../../src/testing/door/mock.ts";
import { simulate } from "../../../src/testing/door/simulate.ts";
import { charge, order } from "./order.ts";

async function refunded(): Promise<HistoryExpectation> {
  const pays = mock(charge).fails("DECLINED").onAttempt(1).returns({ receipt: "R-1" });
  // The refund's first attempt is no first payment.
  const refunds = mock(charge)
    .returns({ receipt: "R-2" })
    .when(({ sum }) => sum < 0);
  const script = [...refunds.script, ...pays.script];
  const sim = await simulate(order, { tools: [{ ...pays, script }] });
  const run = await sim.start({ sum: 5 });
  await run.result();
  return expectHistory(await run.history());
}

test("X1: what holds goes on, and what does not says what became of every task", async () => {
  const history = await refunded();
  history
    .toEndAs("SUCCESS")
    .toGive({ receipt: "R-1" })
    .toHaveNoTask("ship")
    .toHaveOrder("pay", "sign", "refund")
    .toHaveTask("pay")
    .succeeded()
    .tookAttempts(2)
    .ran(1)
    .gave({ receipt: "R-1" })
    .before("sign")
    .toHaveTask("sign")
    .timedOut();
  const wrong = [
    () => history.toEndAs("FAILED"),
    () => history.toGive({ receipt: "R-2" }),
    () => history.toHaveTask("ship"),
    () => history.toHaveNoTask("pay"),
    () => history.toHaveOrder("sign", "pay"),
    () => history.toHaveTask("sign").succeeded(),
    () => history.toHaveTask("pay").failedWith("DECLINED"),
    () => history.toHaveTask("pay").timedOut(),
    () => history.toHaveTask("pay").wasCanceled(),
    () => history.toHaveTask("pay").isOpen(),
    () => history.toHaveTask("pay").ran(2),
    () => history.toHaveTask("pay").tookAttempts(1),
    () => history.toHaveTask("pay").gave({}),
    () => history.toHaveTask("sign").before("pay"),
  ];
  for (const one of wrong) {
    expect(one, String(one)).toThrow(/^expected [^]*\n\nthe run: SUCCESS[^]*\n {2}pay SUCCESS after 2 attempts/);
  }
});

test("a failure is found by its own code and by that of its cause, and what is open is open", async () => {
  const sim = await simulate(order, { tools: [mock(charge).fails("DECLINED")] });
  const run = await sim.start({ sum: 5 });
  expectHistory(await run.history())
    .toHaveTask("pay")
    .isOpen();
  await run.result();
  const history = expectHistory(await run.history());
  history.toEndAs("FAILED").toHaveTask("pay").failedWith("DECLINED").tookAttempts(3).toHaveNoTask("sign");
  expect(() => history.toHaveTask("pay").failedWith("LOST")).toThrow(
    "to fail with LOST, and it is FAILED after 3 attempts",
  );
});
