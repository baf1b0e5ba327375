/**
 * Reads the records of held entries again. One neighbour is read with the `mac:` record of its MAC, so that the pair
 * is judged together; an FDB entry that no neighbour uses is read like an L2 miss.
 */
import type { PipelineDeps } from '../resolver/pipeline.ts';
import { EMPTY, type Observable, map } from 'rxjs';
import type { RecordKey } from '../directory/directory.ts';
import { answerL2, answerL3, fromMacRecord } from '../resolver/select-record.ts';
import { DIRECTORY_TIMEOUT, type LookupDeps, readUntil } from '../resolver/lookup.ts';
import type { Answer } from '../model/question.ts';
import { FullResync, type Recheck } from './full-resync.ts';

type RecheckDeps = Pick<PipelineDeps, keyof LookupDeps | 'isOwnVtep'>;

/** The directory's present answer for a held entry: unchanged, another one, or none. */
export interface Verdict {
  recheck: Recheck;
  answer: Answer | 'as_held' | undefined;
}

/** A batch that was read, without overtaken rechecks. Without an answer of the directory there are no verdicts. */
export interface Reread {
  batch: Recheck[];
  verdicts: Verdict[] | undefined;
}

export function readAgain(queued: Recheck[], deps: RecheckDeps): Observable<Reread> {
  const batch = queued.filter(({ cause }) => !(cause instanceof FullResync && cause.overtaken));
  if (batch.length === 0) return EMPTY;
  const asked = batch.map((recheck) => keysOf(recheck));
  return readUntil(asked.flat(), deps.now() + DIRECTORY_TIMEOUT, deps).pipe(
    map((values) => {
      if (values === undefined) return { batch, verdicts: undefined };
      let next = 0;
      const verdicts = batch.map<Verdict>((recheck, index) => {
        const keys = asked[index] ?? [];
        const mine = values.slice(next, (next += keys.length));
        const answer = equalsHeld(recheck, mine, deps) ? 'as_held' : judged(recheck, keys, mine, deps);
        return { recheck, answer };
      });
      return { batch, verdicts };
    }),
  );
}

function keysOf({ device, table, key }: Recheck): RecordKey[] {
  const { vni, tables } = device;
  if (table === 'neighbour') {
    const mac = tables.neighbours.get(key)?.mac;
    return [
      { vni, kind: 'ip', address: key },
      ...(mac === undefined ? [] : [{ vni, kind: 'mac', address: mac } as const]),
    ];
  }
  const addresses = tables.addressesOf(key);
  return [
    { vni, kind: 'mac', address: key },
    ...addresses.map<RecordKey>((ip) => ({ vni, kind: 'ip', address: ip })),
  ];
}

/** Whether a neighbour's records equal the held entries literally. Most do, and then parsing is not needed. */
function equalsHeld(
  { device, table, key }: Recheck,
  [own, named]: (string | null)[],
  { isOwnVtep, policy }: RecheckDeps,
): boolean {
  if (table !== 'neighbour' || own === null || own === undefined) return false;
  const held = device.tables.neighbours.get(key);
  const fdb = held && device.tables.fdb.get(held.mac);
  if (fdb === undefined || held?.source.kind !== 'ip' || isOwnVtep(fdb.vtep)) return false;
  if (!policy.vtepAllow(fdb.vtep)) return false;
  const { kind } = fdb.source;
  if (named === null ? kind !== 'ip' : kind !== 'mac' || named !== fdb.vtep) return false;
  return own === `${held.mac} ${fdb.vtep}${fdb.router ? ' router' : ''}`;
}

function judged(
  { device, table, key }: Recheck,
  keys: RecordKey[],
  [first = null, ...rest]: (string | null)[],
  { policy }: LookupDeps,
): Answer | undefined {
  if (table === 'fdb') {
    const addresses = keys.slice(1).map(({ address }) => address);
    return answerL2(policy, device, key, first, addresses, rest);
  }
  const answer = answerL3(policy, device, key, first);
  const mac = keys[1]?.address;
  if (answer === undefined || mac !== answer.mac) return answer;
  const named = fromMacRecord(policy, device, mac, rest[0] ?? null);
  return named === undefined ? answer : { ...answer, vtep: named.vtep, vtepSource: named.source };
}
