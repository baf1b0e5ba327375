/**
 * Reads the records of held entries again. One neighbour is read with the `mac:` record of its MAC, so that the pair
 * is judged together; an FDB entry that no neighbour uses is read like an L2 miss.
 */
import { type Observable, map } from 'rxjs';
import type { RecordKey } from '../directory/directory.ts';
import type { LookupDeps, PipelineDeps } from '../resolve/deps.ts';
import { answerL2, answerL3, fromMacRecord } from '../resolve/judge.ts';
import { readPatiently } from '../resolve/lookup.ts';
import type { Answer } from '../resolve/question.ts';
import type { ServedDevice } from '../served/device.ts';
import type { Blow } from './blow.ts';

/** Names a held entry. */
export interface HeldEntry {
  device: ServedDevice;
  table: 'neighbour' | 'fdb';
  /** IP of a neighbour, MAC of an FDB entry. */
  key: string;
  /** When word came that its record has changed, monotonic ms. */
  heardAt?: number;
}

/** A held entry whose record is to be read again. */
export interface Recheck extends HeldEntry {
  /**
   * Why: its record changed; it was written a moment ago and its `mac:` record has not been seen; its answer is old;
   * or everything is read again at one blow.
   */
  cause: 'change' | 'second_look' | 'lifetime' | Blow;
}

type RecheckDeps = Pick<PipelineDeps, keyof LookupDeps | 'isOwnVtep'>;

/** What the directory says of it now: the very words it was written from, another answer, or nothing. */
export interface Verdict {
  recheck: Recheck;
  answer: Answer | 'as_held' | undefined;
}

/** How long a batch waits for a directory that does not answer before it makes room, ms. */
const PATIENCE = 60_000;

/** @returns undefined when the directory did not answer; nothing may be concluded then */
export function readAgain(batch: Recheck[], deps: RecheckDeps): Observable<Verdict[] | undefined> {
  const asked = batch.map((recheck) => keysOf(recheck));
  return readPatiently(asked.flat(), deps.now() + PATIENCE, deps).pipe(
    map((values) => {
      if (values === undefined) return undefined;
      let next = 0;
      return batch.flatMap((recheck, index) => {
        const keys = asked[index] ?? [];
        const mine = values.slice(next, (next += keys.length));
        if (recheck.cause === 'second_look') return seen(recheck, keys[0]?.address, mine[0] ?? null, deps);
        const answer = saysAsHeld(recheck, mine, deps) ? 'as_held' : judged(recheck, keys, mine, deps);
        return { recheck, answer };
      });
    }),
  );
}

function keysOf({ device, table, key, cause }: Recheck): RecordKey[] {
  const { vni, tables } = device;
  if (cause === 'second_look') {
    const mac = tables.neighbours.get(key)?.mac;
    return mac === undefined ? [] : [{ vni, kind: 'mac', address: mac }];
  }
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

/** The second look is for the `mac:` record alone; its own was read a moment ago. Without one there is nothing to say. */
function seen(
  recheck: Recheck,
  mac: string | undefined,
  value: string | null,
  { judge }: LookupDeps,
): Verdict[] {
  const { device, key } = recheck;
  const held = device.tables.neighbours.get(key);
  const named = mac === undefined ? undefined : fromMacRecord(judge, device, mac, value);
  if (named === undefined || held?.mac !== named.mac) return [];
  const router = device.tables.fdb.get(named.mac)?.router ?? false;
  const { vtep, source: vtepSource } = named;
  return [{ recheck, answer: { mac: named.mac, vtep, router, source: held.source, vtepSource } }];
}

/**
 * Whether a neighbour's records say in these very words what is held. Most do, every time, and what has been judged once
 * needs no other judgement.
 */
function saysAsHeld(
  { device, table, key }: Recheck,
  [own, named]: (string | null)[],
  { isOwnVtep }: RecheckDeps,
): boolean {
  if (table !== 'neighbour' || own === null || own === undefined) return false;
  const held = device.tables.neighbours.get(key);
  const fdb = held && device.tables.fdb.get(held.mac);
  if (fdb === undefined || held?.source.kind !== 'ip' || isOwnVtep(fdb.vtep)) return false;
  const { kind } = fdb.source;
  if (named === null ? kind !== 'ip' : kind !== 'mac' || named !== fdb.vtep) return false;
  return own === `${held.mac} ${fdb.vtep}${fdb.router ? ' router' : ''}`;
}

function judged(
  { device, table, key }: Recheck,
  keys: RecordKey[],
  [first = null, ...rest]: (string | null)[],
  { judge }: LookupDeps,
): Answer | undefined {
  if (table === 'fdb') {
    const addresses = keys.slice(1).map(({ address }) => address);
    return answerL2(judge, device, key, first, addresses, rest);
  }
  const answer = answerL3(judge, device, key, first);
  const mac = keys[1]?.address;
  if (answer === undefined || mac !== answer.mac) return answer;
  const named = fromMacRecord(judge, device, mac, rest[0] ?? null);
  return named === undefined ? answer : { ...answer, vtep: named.vtep, vtepSource: named.source };
}
