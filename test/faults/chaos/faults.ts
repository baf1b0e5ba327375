/**
 * What is done to the network of `victim.ts`, each as an operator, a guest, a writer of records or another program on
 * the host would do it. A fault ends when its damage is mended; what it leaves in the directory is cleared by the next.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LabError } from '../../../src/lab/command.ts';
import { guestIp4, macOf } from '../../../src/lab/address.ts';
import type { Daemon } from '../../../src/lab/daemon.ts';
import { ipKey, macKey, subnetKey, subnetsKey } from '../../../src/lab/records.ts';
import type { RedisServer } from '../../../src/lab/redis-server.ts';
import { arpBurst } from '../../lab/harness.ts';
import type { Dice } from './dice.ts';
import { VICTIM_VNI, type Victim } from './victim.ts';

export interface Scene {
  victim: Victim;
  daemon: Daemon;
  redis: RedisServer;
  dice: Dice;
  /** Path of the program that floods, see test/flood.c. */
  flooder: string;
  /** Bytes of a value that no record needs. */
  huge: number;
}

type Fault = (scene: Scene) => Promise<void>;

/** Records of the network that exist and that nobody is behind: 21.0.0.0 and on. */
export const KNOWN = 2_000;
export const knownIp = (n: number): string => `21.0.${n >> 8}.${n & 255}`;
const VTEPS = ['10.99.0.1', '10.99.0.2', '10.99.0.3', '10.99.0.9'];

/** Between a fault and its mending, ms. */
const hold = (dice: Dice, most = 700): Promise<void> => sleep(dice.number(most));

async function asks({ victim, dice }: Scene, count: number): Promise<void> {
  if (victim.guest !== undefined)
    await arpBurst(victim.guest, knownIp(dice.number(KNOWN - count)), count).catch(guestGone);
}

/** A guest whose port goes while it sends has no device any more. */
function guestGone(error: unknown): void {
  if (!(error instanceof LabError)) throw error;
}

/** Another host may cut the connections at the same moment, that of redis-cli included. */
function cliCut(error: unknown): void {
  if (!(error instanceof LabError)) throw error;
}

async function set(redis: RedisServer, ...lines: string[]): Promise<void> {
  await redis.commands(lines);
}

const FAULTS: Record<string, Fault> = {
  'device and bridge deleted': async (scene) => {
    await Promise.all([asks(scene, 200), scene.victim.removeDevice()]);
    await hold(scene.dice);
    await scene.victim.mend();
  },
  'namespace deleted': async (scene) => {
    await Promise.all([asks(scene, 200), scene.victim.removeNamespace()]);
    await hold(scene.dice);
    await scene.victim.mend();
  },
  'namespace deleted and made again at once, five times': async ({ victim }) => {
    for (let round = 0; round < 5; round += 1) await victim.mend();
  },
  'device made as one that cannot be served, then right': async ({ victim, dice }) => {
    await victim.removeDevice();
    const { device } = victim.segment;
    await victim.ip('link', 'add', device, 'type', 'vxlan', 'external', 'dstport', 4800, 'l2miss');
    await hold(dice);
    await victim.mend();
  },
  'device renamed and back': async ({ victim, dice }) => {
    const { device } = victim.segment;
    await victim.ip('link', 'set', device, 'down');
    await victim.ip('link', 'set', device, 'name', 'vx.renamed');
    await victim.ip('link', 'set', 'vx.renamed', 'up');
    await hold(dice);
    await victim.mend();
  },
  'device and bridge flap': async ({ victim, dice }) => {
    const { device, bridge } = victim.segment;
    for (const name of [device, bridge]) {
      await victim.ip('link', 'set', name, 'down');
      await hold(dice, 200);
      await victim.ip('link', 'set', name, 'up');
    }
  },
  'device out of its bridge and back, with another MAC': async ({ victim, dice }) => {
    const { device, bridge } = victim.segment;
    await victim.ip('link', 'set', device, 'nomaster');
    await victim.ip('link', 'set', device, 'address', '02:00:00:00:00:77');
    await hold(dice, 200);
    await victim.ip('link', 'set', device, 'master', bridge);
  },
  'two hundred links come and go': async ({ victim }) => {
    const { namespace } = victim.segment;
    const lines = Array.from({ length: 200 }, (_, n) => [
      ['link', 'add', `s${n}`, 'type', 'veth', 'peer', 'name', `t${n}`],
      ['link', 'set', `s${n}`, 'up'],
    ]).flat();
    await namespace.ip(...lines);
    await namespace.ip(...Array.from({ length: 200 }, (_, n) => ['link', 'delete', `s${n}`]));
  },
  'asked for all that is recorded': (scene) => asks(scene, 1_500),
  'flooded with ARP': (scene) => flood(scene, 'arp'),
  'flooded with solicitations': (scene) => flood(scene, 'ns'),
  'flooded with frames to unknown MACs': (scene) => flood(scene, 'l2'),
  "a guest talks with another guest's MAC": async ({ victim, dice }) => {
    if (victim.guest === undefined) return;
    const { namespace, ip4 } = victim.guest;
    const mac = macOf(guestIp4(41 + dice.number(3)));
    await arpBurst({ namespace, ip4, mac }, knownIp(0), 20).catch(guestGone);
  },
  'rows written and deleted by others': async ({ victim, dice }) => {
    const { device } = victim.segment;
    const mac = `02:42:15:00:00:${(16 + dice.number(200)).toString(16)}`;
    await victim.bridge('fdb', 'add', '00:00:00:00:00:00', 'dev', device, 'dst', '10.99.0.9', 'permanent');
    await victim.bridge('fdb', 'replace', mac, 'dev', device, 'dst', '10.99.0.9', 'extern_learn');
    await victim.ip('neigh', 'replace', knownIp(3), 'lladdr', mac, 'dev', device, 'nud', 'permanent');
    await victim.ip('neigh', 'flush', 'dev', device, 'nud', 'all');
    await hold(dice, 300);
    await victim.mend();
  },
  'malformed records': async (scene) => {
    const values = ['', 'x', '02:42:15:00:00:01', 'ff:ff:ff:ff:ff:ff 10.99.0.2', '02:42:15:00:00:01 0.0.0.0'];
    const lines = Array.from({ length: 50 }, (_, n) => {
      const key = ipKey(VICTIM_VNI, knownIp(n));
      return `SET "${key}" "${scene.dice.pick(values)}"`;
    });
    await set(scene.redis, ...lines);
    await asks(scene, 300);
  },
  'records of another type': async (scene) => {
    const key = ipKey(VICTIM_VNI, knownIp(scene.dice.number(KNOWN)));
    const leases = subnetsKey(VICTIM_VNI);
    await set(scene.redis, `DEL "${key}" "${leases}"`, `SADD "${key}" a b c`, `SET "${leases}" text`);
    await asks(scene, 300);
    await hold(scene.dice);
    await set(scene.redis, `DEL "${key}" "${leases}"`);
  },
  'a record with a huge value': async (scene) => {
    const { redis, dice, huge } = scene;
    const n = dice.number(KNOWN);
    const key = ipKey(VICTIM_VNI, knownIp(n));
    await set(redis, `DEL "${key}"`, `SETRANGE "${key}" ${huge} x`);
    if (scene.victim.guest !== undefined)
      await arpBurst(scene.victim.guest, knownIp(n), 20, 1).catch(guestGone);
    await hold(dice);
    await set(redis, `DEL "${key}"`);
  },
  'a thousand leases without keys, and one that covers all': async (scene) => {
    const leases = subnetsKey(VICTIM_VNI);
    const members = Array.from({ length: 1_000 }, (_, n) => `30.${n >> 8}.${n & 255}.0/24`);
    const all = subnetKey(VICTIM_VNI, '0.0.0.0/0');
    await set(scene.redis, `SADD "${leases}" 0.0.0.0/0 ${members.join(' ')}`);
    await set(scene.redis, `SET "${all}" "02:42:15:00:00:01 ${scene.victim.host.vtep}"`);
    await hold(scene.dice);
    await set(scene.redis, `DEL "${leases}" "${all}"`);
  },
  "records that name every host's own VTEP": async (scene) => {
    const lines = Array.from({ length: 50 }, () => {
      const n = scene.dice.number(KNOWN);
      return `SET "${ipKey(VICTIM_VNI, knownIp(n))}" "${macFor(n)} ${scene.victim.host.vtep}"`;
    });
    await set(scene.redis, ...lines);
    await asks(scene, 500);
  },
  'Redis cuts every connection': async ({ redis }) => {
    for (const type of ['normal', 'pubsub']) await redis.cli('CLIENT', 'KILL', 'TYPE', type).catch(cliCut);
  },
  'Redis stands still': async ({ redis, dice }) => {
    redis.signal('SIGSTOP');
    await hold(dice, 1_500);
    redis.signal('SIGCONT');
  },
  'scraped by twenty at once': async ({ daemon }) => {
    await Promise.all(Array.from({ length: 20 }, (_, n) => daemon.get(n % 2 === 0 ? '/metrics' : '/status')));
  },
};

export const FAULT_NAMES = Object.keys(FAULTS);

export async function commit(name: string, scene: Scene): Promise<void> {
  await FAULTS[name]?.(scene);
}

/** Records of the network that never stop changing, as one line of redis-cli. */
export function change(dice: Dice): string {
  const n = dice.number(KNOWN);
  const key = ipKey(VICTIM_VNI, knownIp(n));
  const vtep = dice.pick(VTEPS);
  switch (dice.number(6)) {
    case 0:
      return `DEL "${key}"`;
    case 1:
      return `SET "${key}" "${macFor(n)} ${vtep}" PX ${300 + dice.number(3_000)}`;
    case 2:
      return `SET "${macKey(VICTIM_VNI, macFor(n))}" "${vtep}"`;
    case 3:
      return `DEL "${macKey(VICTIM_VNI, macFor(n))}"`;
    case 4:
      return `SET "${key}" "${macFor(n + KNOWN)} ${vtep}"`;
    default:
      return `SET "${key}" "${macFor(n)} ${vtep}"`;
  }
}

/** The records as they were at the beginning; what a fault made of them is gone. */
export const initial = (): string[] =>
  Array.from({ length: KNOWN }, (_, n) => {
    const [ip, mac] = [ipKey(VICTIM_VNI, knownIp(n)), macKey(VICTIM_VNI, macFor(n))];
    return [`DEL "${ip}" "${mac}"`, `SET "${ip}" "${macFor(n)} 10.99.0.9"`];
  }).flat();

function macFor(n: number): string {
  const hex = (byte: number): string => (byte & 255).toString(16).padStart(2, '0');
  return `02:42:15:00:${hex(n >> 8)}:${hex(n)}`;
}

async function flood({ victim, dice, flooder }: Scene, kind: string): Promise<void> {
  await victim.guest?.namespace.exec([flooder, 'eth0', kind, '1', String(dice.number(2))]);
}
