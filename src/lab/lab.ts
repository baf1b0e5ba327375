/**
 * A lab: hosts joined by an underlay, guests on their bridges, and the programs that run beside them, in network
 * namespaces of this machine. Whatever it makes it removes: on `close`, on a signal, on exit, and what a killed lab
 * left behind is removed by the next one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RuntimeFailure } from '../base/errors.ts';
import { Host } from './host.ts';
import { KeptLab } from './kept-lab.ts';
import { Namespace, ip } from './namespace.ts';
import { Program } from './program.ts';
import type { SegmentOptions } from './segment.ts';
import { labPrefix, leaveNothingBehind, removeNamespaces, sweepStale } from './sweep.ts';
import { type Family, Underlay } from './underlay.ts';

export interface LabOptions {
  /** What VXLAN packets travel over. Default ipv4. */
  underlay?: Family;
  /** A name under which it can be left up with `keep`, one at a time on a machine. */
  keepAs?: string;
}

export class Lab {
  readonly prefix: string;
  readonly underlay: Underlay;
  readonly hosts: Host[] = [];
  /** Every command that made the topology, as one could type it. */
  readonly transcript: string[] = [];
  readonly #namespaces: Namespace[] = [];
  readonly #programs = new Set<Program>();
  #kept: KeptLab | undefined;
  #directory: string | undefined;
  readonly #forget: () => void;

  /** Sweeps what dead labs left, then builds the underlay. */
  static async open(options: LabOptions = {}): Promise<Lab> {
    if (process.getuid?.() !== 0)
      throw new RuntimeFailure('a lab is made of network namespaces, which needs root');
    sweepStale();
    const kept = options.keepAs === undefined ? undefined : KeptLab.claim(options.keepAs);
    const lab = new Lab(options, kept);
    try {
      await lab.underlay.build();
    } catch (error) {
      await lab.close();
      throw error;
    }
    return lab;
  }

  private constructor({ underlay = 'ipv4' }: LabOptions, kept: KeptLab | undefined) {
    this.#kept = kept;
    this.prefix = kept?.prefix ?? labPrefix();
    this.underlay = new Underlay(this.#namespace('net'), underlay, this.#record);
    this.#forget = leaveNothingBehind(() => {
      this.closeNow();
    });
  }

  /** A host with one segment per given options; one with the defaults where none are given. */
  addHost(...segments: SegmentOptions[]): Promise<Host> {
    return this.#addHost(segments.length === 0 ? [{}] : segments);
  }

  /** A host with an uplink and nothing else. */
  addBareHost(): Promise<Host> {
    return this.#addHost([]);
  }

  async #addHost(segments: SegmentOptions[]): Promise<Host> {
    const n = this.hosts.length + 1;
    const host = new Host(n, this.#namespace(`h${n}`), this.underlay, (role) => this.#namespace(role));
    this.hosts.push(host);
    await host.build(segments);
    return host;
  }

  /** Starts a program that ends with the lab at the latest. */
  async start(argv: readonly string[], env?: Record<string, string>): Promise<Program> {
    const program = await Program.start(argv, env, this.#kept?.logOf(argv));
    this.#programs.add(program);
    this.#kept?.remember(program.pid);
    void program.ended.then(() => this.#programs.delete(program));
    return program;
  }

  /** As an operator would: whatever is inside goes, unless somebody outside still keeps the namespace open. */
  async deleteNamespace(namespace: Namespace): Promise<void> {
    await ip(this.#record, ['netns', 'del', namespace.name]);
  }

  /** A directory for sockets and files, removed with the lab. */
  get directory(): string {
    return (this.#directory ??= this.#kept?.directory ?? mkdtempSync(join(tmpdir(), this.prefix)));
  }

  /** Leaves it up when this process ends, until `missd lab clean`. Only with `keepAs`. */
  keep(): void {
    if (this.#kept === undefined) throw new Error('a lab without a name would be swept by the next one');
    for (const program of this.#programs) program.leave();
    this.#programs.clear();
    this.#namespaces.length = 0;
    this.#directory = this.#kept = undefined;
    this.#forget();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#programs].map((program) => program.stop()));
    this.closeNow();
  }

  /** The same without waiting for anybody: programs are killed rather than asked. */
  closeNow(): void {
    for (const program of this.#programs) program.signal('SIGKILL');
    removeNamespaces(this.#namespaces.map((namespace) => namespace.name));
    this.#directory ??= this.#kept?.directory;
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
    this.#namespaces.length = 0;
    this.#directory = undefined;
    this.#forget();
  }

  readonly #record = (command: string): void => {
    this.transcript.push(command);
  };

  #namespace(name: string): Namespace {
    const namespace = new Namespace(this.prefix + name, this.#record);
    this.#namespaces.push(namespace);
    return namespace;
  }
}
