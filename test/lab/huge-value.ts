/** One address whose value is far too long, and what must not come of it: that another lookup fails with it. */
import { expect } from 'vitest';
import type { RecordKey } from '../../src/directory/directory.ts';
import { parseIpRecord, type RecordContext } from '../../src/directory/record.ts';
import type { RedisDirectory } from '../../src/directory/redis/redis-directory.ts';
import { first } from './first.ts';
import type { RedisServer } from './redis-server.ts';

const VALUE = '02:42:14:00:00:02 10.99.0.2';
const ipKey = (vni: number, address: string): RecordKey => ({ vni, kind: 'ip', address });
const redisKey = ({ vni, address }: RecordKey): string => `missd:{${vni}}:ip:${address}`;

/** Reading such a value takes longer than a command may, or as good as. */
const HUGE = 12 * 1024 * 1024;
/** A lookup that fails is made again by who asked, as here, for so long, ms. */
const READ_WITHIN = 5000;
const CONTEXT: RecordContext = { family: 4, vtepAllow: () => true };

const policy = (value: string | null): unknown => (value === null ? null : parseIpRecord(value, CONTEXT));

/** How each value is judged, as soon as they are answered. */
async function judged(directory: RedisDirectory, keys: RecordKey[]): Promise<unknown[]> {
  const until = Date.now() + READ_WITHIN;
  for (;;) {
    try {
      const values = await directory.read(keys);
      return values.map(policy);
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** One address has a huge value that begins like this; the directory is up and follows the VNI. */
export async function meetsHugeValue(
  directory: RedisDirectory,
  server: RedisServer | undefined,
  vni: number,
  begin: string,
): Promise<void> {
  const huge = ipKey(vni, '20.0.0.2');
  const other = ipKey(vni, '20.0.0.3');
  const record = { mac: '02:42:14:00:00:02', vtep: '10.99.0.2', router: false };
  const size = { malformed: 'size' };
  const set = async (...command: string[]): Promise<void> => {
    const heard = first(
      directory.changes$,
      (one) => one.type === 'records' && one.keys.some((named) => named.address === huge.address),
    );
    await server?.cli(...command);
    await heard;
  };
  await server?.cli('SET', redisKey(other), VALUE);
  await set('SET', redisKey(huge), begin);
  await set('SETRANGE', redisKey(huge), String(HUGE - 1), 'A');
  expect(await judged(directory, [huge, other])).toEqual([size, record]);
  // The connection that was told too much is made again.
  expect(await judged(directory, [other])).toEqual([record]);
  // Now it is known which of them it is: nothing is late any more, together or alone.
  for (let reads = 0; reads < 20; reads++) {
    const values = await directory.read([huge, other]);
    expect(values.map(policy)).toEqual([size, record]);
    expect(await directory.read([other])).toEqual([VALUE]);
  }
  expect(directory.health().up).toEqual({ lookups: true, feed: true, leases: true });
  await set('SET', redisKey(huge), VALUE);
  expect(await judged(directory, [huge, other])).toEqual([record, record]);
}

export const BEGINS = [
  ['a record', VALUE],
  ['text of several bytes a character', '\u20ac'.repeat(200)],
] as const;
