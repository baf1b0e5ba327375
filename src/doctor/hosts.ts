/** Hosts of a VNI that have published records and whose lease has ended. Other hosts of the network remove these records. */
import type { Vni } from '../base/vocabulary.ts';
import { isNotPermitted, isWrongType } from '../directory/redis/reason.ts';
import type { RedisTarget } from '../directory/redis/url.ts';
import type { RedisWriter } from '../directory/redis/writer.ts';
import { redisCli } from '../inspect/redis-cli.ts';
import { type Finding, of } from './finding.ts';

const say = of('records');

/** Hosts that are named; further ones are counted. */
const MOST = 4;

export interface HostFacts {
  vni: Vni;
  /** Hosts that took a lease and are not reaped yet. A string: the server does not permit to read them. */
  hosts: { id: string; key: string; leased: boolean; guests: number }[] | 'not permitted';
}

export async function readHosts(writer: RedisWriter, vni: Vni): Promise<HostFacts> {
  const { client, keys } = writer;
  try {
    const ids = Object.keys(await client.hgetall(keys.hosts(vni)));
    const leases = await writer.values(ids.map((id) => keys.host(vni, id)));
    const hosts: Exclude<HostFacts['hosts'], string> = [];
    for (const [index, id] of ids.entries()) {
      const leased = leases[index] != null;
      const guests = leased ? 0 : await client.scard(keys.owned(vni, id));
      hosts.push({ id, key: keys.host(vni, id), leased, guests });
    }
    return { vni, hosts };
  } catch (error) {
    if (isNotPermitted(error)) return { vni, hosts: 'not permitted' };
    if (isWrongType(error)) return { vni, hosts: [] };
    throw error;
  }
}

/** @param joined the daemon of this host has joined the VNI's network */
export function judgeHosts({ vni, hosts }: HostFacts, joined: boolean, target: RedisTarget): Finding[] {
  if (hosts === 'not permitted')
    return joined
      ? [
          say.note(
            'hosts',
            `the hosts of VNI ${vni} could not be read: not permitted`,
            'Records of ended hosts were not looked for.',
          ),
        ]
      : [];
  const ended = hosts.filter(({ leased, guests }) => !leased && guests > 0);
  const findings = ended
    .slice(0, MOST)
    .map(({ id, key, guests }) =>
      say.warning(
        'ended-host',
        `the lease of host ${id} in VNI ${vni} has ended, and records of ${guests} guest${guests === 1 ? '' : 's'} of it are still there`,
        'Another host of the network removes them within a lease; without another host they stay until that host returns.',
        redisCli(target, 'PTTL', key),
      ),
    );
  if (ended.length > MOST)
    findings.push(
      say.warning(
        'ended-host',
        `${ended.length - MOST} more hosts of VNI ${vni} have ended with records left`,
      ),
    );
  return findings;
}
