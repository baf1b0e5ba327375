/** Who answers the misses of a stand: the floor, in C, or missd. */
import { join } from 'node:path';
import { run } from '../../src/lab/command.ts';
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

export async function startFloor(
  field: Field,
  { host, guest, hostile }: Stand,
  { redis = false }: FloorOptions = {},
): Promise<Responder> {
  const argv = [
    ...host.namespace.inside([field.program('floor')]),
    ...['--vtep', field.far.vtep, '--tap', guest.port, '--tap', hostile.port],
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

/** More than any group asks for, where the build has a limit: what is evicted is not what is measured. */
const ROOM = ['--max-entries', '4000000'];

let room: Promise<readonly string[]> | undefined;
const roomOf = (main: string): Promise<readonly string[]> =>
  (room ??= run([process.execPath, main, 'run', '--help']).then((help) =>
    help.includes('--max-entries') ? ROOM : [],
  ));

export async function startMissd(
  field: Field,
  { host }: Stand,
  { flags = [], env }: MissdOptions = {},
): Promise<Required<Responder>> {
  const main = join(ROOT, 'dist/main.js');
  const daemon = await Daemon.start(field.lab, {
    netns: [host.namespace.name],
    redis: field.redis.socket,
    main,
    flags: [...(await roomOf(main)), ...flags],
    env: { ...field.env, ...env },
  });
  await daemon.ready();
  return { daemon, program: daemon.program, stop: () => daemon.stop() };
}
