/**
 * A lab: hosts on an underlay, guests on the bridges of the hosts, and programs, in network namespaces of this machine. The
 * lab removes everything that it made: on `close`, on a signal and on exit. The next lab removes the remains of a killed one.
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
  /** Family of the VTEPs. Default ipv4. */
  underlay?: Family;
  /** A name, unique on the machine, under which `keep` can leave the lab up. */
  keepAs?: string;
}

export class Lab {
  readonly prefix: string;
  readonly underlay: Underlay;
  readonly hosts: Host[] = [];
  /** The commands that made the topology, in a form that can be typed. */
  readonly transcript: string[] = [];
  readonly #namespaces: Namespace[] = [];
  readonly #programs = new Set<Program>();
  #kept: KeptLab | undefined;
  #directory: string | undefined;
  readonly #forget: () => void;

  /** Removes the remains of dead labs, then builds the underlay. */
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

  /** Adds a host with a segment for each of the given options; without options one segment with the defaults. */
  addHost(...segments: SegmentOptions[]): Promise<Host> {
    return this.#addHost(segments.length === 0 ? [{}] : segments);
  }

  /** Adds a host with an uplink and no segment. */
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

  /** Starts a program, which ends with the lab at the latest. */
  async start(argv: readonly string[], env?: Record<string, string>): Promise<Program> {
    const program = await Program.start(argv, env, this.#kept?.logOf(argv));
    this.#programs.add(program);
    this.#kept?.remember(program.pid);
    void program.ended.then(() => this.#programs.delete(program));
    return program;
  }

  /** Deletes the name of a namespace, as an operator does. The namespace stays while a process has it open. */
  async deleteNamespace(namespace: Namespace): Promise<void> {
    await ip(this.#record, ['netns', 'del', namespace.name]);
  }

  /** A directory for sockets and files, removed with the lab. */
  get directory(): string {
    return (this.#directory ??= this.#kept?.directory ?? mkdtempSync(join(tmpdir(), this.prefix)));
  }

  /** Leaves the lab up after the end of this process, until `missd lab clean`. Only with `keepAs`. */
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

  /** The same synchronously: programs are killed with SIGKILL. */
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
