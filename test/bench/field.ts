/**
 * Where the bench takes place: one far host that has every address, a Redis, and a stand for each contender.
 *
 *   stand 2: guest, hostile ─ br0 ─ vxlan100 ┐
 *            host's own routes ──── vxlan300 ┼─ underlay ─ far host 1: 20.128.0.0/9 and 30.128.0.0/9
 *   stand 3: …                               ┘
 */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run } from '../../src/lab/command.ts';
import type { Guest } from '../../src/lab/guest.ts';
import type { Host } from '../../src/lab/host.ts';
import { Lab } from '../../src/lab/lab.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { ROOT } from './root.ts';
import { DEVICE, LEASE_MAC, TOPOLOGIES, type Topology, VNI, existing, lease, record } from './rule.ts';
import { Stand, acceptAnyMac, route } from './stand.ts';

/** Records per command. */
const AT_ONCE = 500;

export class Field {
  readonly lab: Lab;
  readonly far: Host;
  readonly #farGuest: Guest;
  readonly redis: RedisServer;
  /** What every missd of it is started with. */
  readonly env: Record<string, string>;
  #published = { bridged: 0, routed: 0 };

  static async open(env: Record<string, string> = {}): Promise<Field> {
    const lab = await Lab.open();
    try {
      await compile(lab);
      const far = await lab.addHost();
      const guest = await far.addGuest({ n: 1, ip4: '20.0.0.1/9', ip6: null, dad: false });
      await guest.namespace.ip(['route', 'add', 'local', existing('bridged'), 'dev', 'lo']);
      await acceptAnyMac(guest.namespace, 'eth0');
      await route(far, '29.0.0.1', LEASE_MAC);
      await far.namespace.ip(['route', 'add', 'local', existing('routed'), 'dev', 'lo']);
      await acceptAnyMac(far.namespace, DEVICE.routed);
      const redis = await RedisServer.start(lab);
      const field = new Field(lab, far, guest, redis, env);
      await field.#publishLeases();
      return field;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(lab: Lab, far: Host, farGuest: Guest, redis: RedisServer, env: Record<string, string>) {
    this.env = env;
    this.lab = lab;
    this.far = far;
    this.#farGuest = farGuest;
    this.redis = redis;
  }

  /** One of the programs in C that lie beside this file. */
  program(name: string): string {
    return join(this.lab.directory, name);
  }

  /** One more host that asks; the far host knows its way back without being asked itself. */
  async addStand(): Promise<Stand> {
    const stand = await Stand.make(await this.lab.addHost());
    const { host, guest } = stand;
    const { namespace } = this.far;
    const mac = async (device: string): Promise<string> =>
      String((await host.namespace.show('link', 'show', 'dev', device))[0]?.['address']);
    const routed = `29.0.0.${host.n}`;
    const [one, other] = [DEVICE.bridged, DEVICE.routed];
    const routedMac = await mac(other);
    const permanent = ['nud', 'permanent'];
    await this.#farGuest.namespace.ip([
      ...['neigh', 'add', guest.ip4 ?? '', 'lladdr', guest.mac, 'dev', 'eth0', ...permanent],
    ]);
    await namespace.ip(
      ['route', 'add', routed, 'dev', other],
      ['neigh', 'add', routed, 'lladdr', routedMac, 'dev', other, ...permanent],
    );
    await namespace.bridge(
      ['fdb', 'add', guest.mac, 'dev', one, 'dst', host.vtep, 'self', 'permanent'],
      ['fdb', 'add', routedMac, 'dev', other, 'dst', host.vtep, 'self', 'permanent'],
    );
    return stand;
  }

  /** Records for the first `count` addresses of a topology. */
  async publish(topology: Topology, count: number): Promise<void> {
    const lines: string[] = [];
    for (let n = this.#published[topology]; n < count; n += AT_ONCE) {
      const some = Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, index) =>
        record(topology, n + index, this.far.vtep),
      );
      lines.push(`MSET ${some.map(([key, value]) => `${key} "${value}"`).join(' ')}`);
    }
    this.#published[topology] = Math.max(this.#published[topology], count);
    await this.redis.commands(lines);
  }

  async #publishLeases(): Promise<void> {
    for (const topology of TOPOLOGIES) {
      const key = `missd:{${VNI[topology]}}:subnet`;
      await this.redis.cli('SET', `${key}:${lease(topology)}`, `${LEASE_MAC} ${this.far.vtep}`);
      await this.redis.cli('SADD', `${key}s`, lease(topology));
    }
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

/** Into the lab's own directory, so that they go with it. */
async function compile(lab: Lab): Promise<void> {
  const folder = join(ROOT, 'test/bench');
  const sources = readdirSync(folder)
    .filter((file) => file.endsWith('.c'))
    .map((file) => join(folder, file));
  await Promise.all(
    [...sources, join(ROOT, 'test/flood.c')].map((source) =>
      run(['gcc', '-O2', '-pthread', '-o', join(lab.directory, basename(source, '.c')), source]),
    ),
  );
}
