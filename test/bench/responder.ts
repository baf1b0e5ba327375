/** Who answers the misses of a stand: the floor, in C, or missd. */
import { join } from 'node:path';
import { Daemon } from '../../src/lab/daemon.ts';
import type { Program } from '../../src/lab/program.ts';
import type { Field } from './field.ts';
import { ROOT } from './root.ts';
import { DEVICE, VNI } from './rule.ts';
import type { Stand } from './stand.ts';

export interface Responder {
  readonly program: Program;
  /** Undefined for the floor. */
  readonly daemon?: Daemon;
  stop(): Promise<unknown>;
}

export interface FloorOptions {
  /** Asks this Redis, instead of answering by rule. */
  redis?: boolean;
}

/** Hears one port alone: it stands for an only guest. */
export async function startFloor(
  field: Field,
  { host, guest }: Stand,
  { redis = false }: FloorOptions = {},
): Promise<Responder> {
  const argv = [
    ...host.namespace.inside([field.program('floor')]),
    ...['--vtep', field.far.vtep, '--tap', guest.port],
    ...(redis ? ['--redis', field.redis.socket] : []),
    ...(['bridged', 'routed'] as const).map((topology) => `${DEVICE[topology]}=${VNI[topology]}`),
  ];
  const program = await field.lab.start(argv);
  await program.until('the floor to be ready', () => program.lines.includes('ready'));
  return { program, stop: () => program.stop() };
}

export interface MissdOptions {
  flags?: readonly string[];
  env?: Record<string, string>;
}

export async function startMissd(
  field: Field,
  { host }: Stand,
  options: MissdOptions = {},
): Promise<Required<Responder>> {
  const daemon = await Daemon.start(field.lab, {
    netns: [host.namespace.name],
    redis: field.redis.socket,
    main: join(ROOT, 'dist/main.js'),
    ...options,
  });
  await daemon.ready();
  return { daemon, program: daemon.program, stop: () => daemon.stop() };
}
