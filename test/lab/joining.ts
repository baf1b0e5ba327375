/** Hosts that have an underlay and nothing else, and the networks that their daemons join. */
import { join } from 'node:path';
import { beforeEach, onTestFailed } from 'vitest';
import { attempt, type Outcome } from '../../src/lab/command.ts';
import { Daemon, type DaemonOptions, MISSD } from '../../src/lab/daemon.ts';
import type { Host } from '../../src/lab/host.ts';
import { Lab, type LabOptions } from '../../src/lab/lab.ts';
import { type Namespace, type Words, ip } from '../../src/lab/namespace.ts';
import { parsePing, pingArgv, type Pinged } from '../../src/lab/ping.ts';
import { RedisServer } from '../../src/lab/redis-server.ts';
import { until } from '../../src/lab/wait.ts';

export interface JoinedStatus {
  network: string;
  state: string;
  reason?: string;
  device?: string;
  bridge?: string;
  vtep?: string;
  mtu?: number;
  prefix?: string;
}

export class JoinLab {
  readonly lab: Lab;
  readonly redis: RedisServer;
  readonly hosts: Host[] = [];
  readonly daemons = new Map<Host, Daemon>();

  /** @param redis further arguments of redis-server */
  static async open(
    hosts: number,
    options: LabOptions = {},
    redis: readonly string[] = [],
  ): Promise<JoinLab> {
    const lab = await Lab.open(options);
    try {
      const made = new JoinLab(lab, await RedisServer.start(lab, 'redis', { args: redis }));
      for (let n = 1; n <= hosts; n += 1) made.hosts.push(await lab.addBareHost());
      return made;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(lab: Lab, redis: RedisServer) {
    this.lab = lab;
    this.redis = redis;
  }

  host(n: number): Host {
    const host = this.hosts[n - 1];
    if (host === undefined) throw new Error(`there is no host ${n}`);
    return host;
  }

  daemon(n: number): Daemon {
    const daemon = this.daemons.get(this.host(n));
    if (daemon === undefined) throw new Error(`host ${n} has no daemon`);
    return daemon;
  }

  stateDir(n: number): string {
    return join(this.lab.directory, `state${n}`);
  }

  /** `missd` on a host. */
  missd(...words: string[]): Promise<Outcome> {
    return attempt([process.execPath, MISSD, ...words], { timeout: 60_000 });
  }

  /** `missd network create`. */
  async create(...words: string[]): Promise<void> {
    const { code, stderr } = await this.missd('network', 'create', ...words, '--redis', this.redis.socket);
    if (code !== 0) throw new Error(stderr);
  }

  /** Waits for the record of a guest, which its host writes. */
  async published(vni: number, { ip, mac }: PlainGuest, vtep: string): Promise<void> {
    const key = `missd:{${vni}}:ip:${ip}`;
    await until(`the record ${key}`, async () => (await this.redis.cli('GET', key)) === `${mac} ${vtep}`);
  }

  /** A record with usual values, and no guests that are published. */
  async network(name: string, vni: number, more: object = {}): Promise<void> {
    const usual = { name, vni, mode: 'bridged', subnet: '20.0.0.0/24', publish: 'none' };
    await this.redis.cli('SET', `missd:{${vni}}:network`, JSON.stringify({ ...usual, ...more }));
  }

  /** Starts `missd run --join` on a host and returns at once. */
  async start(
    n: number,
    names: readonly string[],
    flags: readonly string[] = [],
    source: Pick<DaemonOptions, 'directory' | 'redis'> = { redis: this.redis.socket },
  ): Promise<Daemon> {
    const host = this.host(n);
    const daemon = await Daemon.start(this.lab, {
      ...{ netns: [host.namespace.name], ...source },
      flags: [...names.flatMap((name) => ['--join', name]), '--state-dir', this.stateDir(n), ...flags],
    });
    this.daemons.set(host, daemon);
    return daemon;
  }

  async run(...options: Parameters<JoinLab['start']>): Promise<Daemon> {
    return (await this.start(...options)).ready();
  }

  async status(n: number): Promise<JoinedStatus[]> {
    const answer = await this.daemon(n).get('/status');
    return (JSON.parse(answer?.body ?? '{"networks":[]}') as { networks: JoinedStatus[] }).networks;
  }

  /** Waits for a state of the first network. */
  async untilState(n: number, state: string, reason = ''): Promise<JoinedStatus> {
    let found: JoinedStatus | undefined;
    await until(`the network of host ${n} to be ${state} ${reason}`, async () => {
      [found] = await this.status(n);
      return found?.state === state && (found.reason ?? '').includes(reason);
    });
    if (found === undefined) throw new Error('no network');
    return found;
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

/** Shows what the daemons said where a test fails. */
export function tellOnFailure(world: () => JoinLab): void {
  beforeEach(() => {
    onTestFailed(() => {
      for (const [host, { log }] of world().daemons)
        console.error(`missd of host ${host.n}:\n${log.slice(-40).join('\n')}`);
    });
  });
}

/** A guest as a reader of the README makes it: a namespace, a veth, two addresses. */
export class PlainGuest {
  readonly namespace: Namespace;
  readonly ip: string;
  readonly mac: string;

  /** @param address with prefix length */
  static async plug(
    host: Host,
    bridge: string,
    n: number,
    address: string,
    more: { via?: string; where?: Namespace; mtu?: number } = {},
  ): Promise<PlainGuest> {
    const { where = host.namespace, via, mtu = 1450 } = more;
    const guest = new PlainGuest(host.name(`p${n}`), address.split('/')[0] ?? '', `02:99:00:00:00:0${n}`);
    await ip(where.record, ['netns', 'add', guest.namespace.name]);
    const peer = ['peer', 'name', 'eth0', 'netns', guest.namespace.name, 'address', guest.mac, 'mtu', mtu];
    await where.ip(
      ['link', 'add', `p${n}`, 'mtu', mtu, 'type', 'veth', ...peer],
      ['link', 'set', `p${n}`, 'master', bridge, 'up'],
    );
    const route: Words[] = via === undefined ? [] : [['route', 'add', 'default', 'via', via]];
    const nodad = address.includes(':') ? ['nodad'] : [];
    await guest.namespace.ip(
      ['link', 'set', 'lo', 'up'],
      ['link', 'set', 'eth0', 'up'],
      ['address', 'add', address, 'dev', 'eth0', ...nodad],
      ...route,
    );
    return guest;
  }

  private constructor(namespace: Namespace, ip: string, mac: string) {
    this.namespace = namespace;
    this.ip = ip;
    this.mac = mac;
  }

  async ping(to: string, count = 1): Promise<Pinged> {
    const argv = pingArgv(to, { count, interval: 0.2 });
    const { stdout, stderr } = await this.namespace.attempt(argv, { timeout: 30_000 });
    return parsePing(to, stdout, stderr);
  }
}
