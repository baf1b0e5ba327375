import type { Settled } from '../model/question.ts';
import { monotonic } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';

/** One line per settled miss, for whoever asks for that much. */
export function logResolutions(settled: readonly Settled[], log: Logger): void {
  if (!log.isLevelEnabled('debug')) return;
  for (const { question, outcome, answer } of settled) {
    const { device, layer, address, askers, receivedAt } = question;
    const { mac, vtep, router, source } = answer ?? {};
    const asked = askers.map((asker) => asker.ip);
    const ms = Number((monotonic() - receivedAt).toFixed(3));
    log.debug(
      {
        device: device.name,
        vni: device.vni,
        layer,
        address,
        outcome,
        mac,
        vtep,
        router,
        source: source?.kind,
        asked,
        ms,
      },
      `${layer.toUpperCase()} miss ${address}: ${outcome}`,
    );
  }
}
