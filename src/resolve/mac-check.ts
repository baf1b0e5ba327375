import { type Observable, map } from 'rxjs';
import { install } from '../tables/install.ts';
import { withdrawFdb, withdrawNeighbours } from '../tables/withdraw.ts';
import type { ServedDevice } from '../served/device.ts';
import type { Mac } from '../vocabulary.ts';
import { readPatiently } from './lookup.ts';
import { fromMacRecord } from './judge.ts';
import type { PipelineDeps } from './deps.ts';

/** An FDB entry just written from an `ip:` record, whose `mac:` record has not been seen. */
export interface MacCheck {
  device: ServedDevice;
  mac: Mac;
}

/** Ten seconds: by then the entry is due to be verified anyway. */
const PATIENCE = 10_000;

/**
 * Reads the `mac:` records of fresh FDB entries. The first answer did not wait for them; where one names another VTEP
 * it wins, and where it names this host there must be no entry at all.
 */
export function checkMacs(batch: MacCheck[], deps: PipelineDeps): Observable<void> {
  const keys = batch.map(({ device, mac }) => ({ vni: device.vni, kind: 'mac' as const, address: mac }));
  return readPatiently(keys, deps.now() + PATIENCE, deps).pipe(
    map((values) => {
      batch.forEach(({ device, mac }, index) => {
        applyMacRecord(device, mac, values?.[index] ?? null, deps);
      });
    }),
  );
}

function applyMacRecord(device: ServedDevice, mac: Mac, value: string | null, deps: PipelineDeps): void {
  const held = device.tables.fdb.get(mac);
  const answer = fromMacRecord(deps.judge, device, mac, value);
  if (held === undefined || answer === undefined) return;
  if (answer.vtep === held.vtep) {
    held.source = answer.source;
    return;
  }
  deps.report.conflict(
    device,
    'vtep_disputed',
    `${mac} is behind ${held.vtep} by its ip: record and behind ${answer.vtep} by its mac: record`,
  );
  const [outcome] = install(
    [{ device, answer: { ...answer, router: held.router } }],
    deps.isOwnVtep,
    deps.report,
  );
  if (outcome !== 'local') return;
  const users = [...device.tables.neighbours.values()].filter((one) => one.mac === mac).map((one) => one.ip);
  withdrawNeighbours(device, users, deps.report);
  withdrawFdb(device, [mac], deps.report);
}
