/** Ports of a joined network at which a guest can be: what is moved is the MAC and the address, the ports stay. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Host } from '../../src/lab/host.ts';
import { type Namespace, ip } from '../../src/lab/namespace.ts';
import { type Pinged, parsePing, pingArgv } from '../../src/lab/ping.ts';

export type Announced = 'arp' | 'rarp' | 'nothing';

const SCRIPT = new URL('guest.py', import.meta.url).pathname;
const hex = (mac: string): string => mac.replaceAll(':', '');
const hexOf = (address: string): string =>
  address
    .split('.')
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join('');

/** An ARP request of the address for itself. */
export const gratuitous = (mac: string, address: string): string =>
  `${'f'.repeat(12)}${hex(mac)}08060001080006040001${hex(mac)}${hexOf(address)}${'0'.repeat(12)}${hexOf(address)}`;

export class Place {
  readonly host: Host;
  readonly namespace: Namespace;
  readonly port: string;
  readonly #own: string;
  readonly #guest: ChildProcessWithoutNullStreams;
  readonly #done: string[] = [];
  #wake: () => void = () => undefined;

  static async make(host: Host, bridge: string, n: number): Promise<Place> {
    const namespace = host.name(`q${n}`);
    const own = `02:98:00:00:00:${n.toString(16).padStart(2, '0')}`;
    await ip(host.namespace.record, ['netns', 'add', namespace.name]);
    const peer = ['peer', 'name', 'eth0', 'netns', namespace.name, 'address', own, 'mtu', 1450];
    await host.namespace.ip(
      ['link', 'add', `q${n}`, 'mtu', 1450, 'type', 'veth', ...peer],
      ['link', 'set', `q${n}`, 'master', bridge, 'up'],
    );
    // What it says by itself would announce it.
    await namespace.exec(['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1']);
    await namespace.ip(['link', 'set', 'lo', 'up'], ['link', 'set', 'eth0', 'up']);
    return new Place(host, namespace, `q${n}`, own);
  }

  private constructor(host: Host, namespace: Namespace, port: string, own: string) {
    this.host = host;
    this.namespace = namespace;
    this.port = port;
    this.#own = own;
    const [program = '', ...argv] = namespace.inside(['python3', '-u', SCRIPT]);
    this.#guest = spawn(program, argv, { stdio: 'pipe' });
    createInterface(this.#guest.stdout).on('line', (line) => {
      this.#done.push(line);
      this.#wake();
    });
    this.#guest.stderr.pipe(process.stderr);
  }

  /** @returns when it has been announced for the first time */
  async take(mac: string, address: string, how: Announced): Promise<void> {
    await this.#say(`take ${mac} ${address}/24 ${how}`, how === 'nothing' ? 'done' : 'announced');
    if (how !== 'nothing') void this.#hear('done');
  }

  drop(): Promise<void> {
    return this.#say(`drop ${this.#own}`, 'done');
  }

  /** @param pause s */
  send(frame: string, count = 1, pause = 0): Promise<void> {
    return this.#say(`send ${frame} ${count} ${pause}`, 'done');
  }

  async ping(to: string, count = 1): Promise<Pinged> {
    const argv = pingArgv(to, { count, interval: 0.2 });
    const { stdout, stderr } = await this.namespace.attempt(argv, { timeout: 30_000 });
    return parsePing(to, stdout, stderr);
  }

  async close(): Promise<void> {
    this.#guest.stdin.end();
    this.#guest.kill('SIGKILL');
    if (this.#guest.exitCode === null) await once(this.#guest, 'close');
  }

  async #say(line: string, answer: string): Promise<void> {
    this.#guest.stdin.write(`${line}\n`);
    await this.#hear(answer);
  }

  async #hear(answer: string): Promise<void> {
    for (;;) {
      const at = this.#done.indexOf(answer);
      if (at >= 0) {
        this.#done.splice(at, 1);
        return;
      }
      await new Promise<void>((resolve) => {
        const before = this.#wake;
        this.#wake = () => {
          before();
          resolve();
        };
      });
    }
  }
}
