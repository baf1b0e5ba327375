/** A finding of doctor: a check, its level, the consequence and the fix. */

import type { CommandLine } from '../screen/shell.ts';

/** In the order of the output. */
export const GROUPS = [
  'kernel',
  'privileges',
  'limits',
  'devices',
  'ports',
  'underlay',
  'mtu',
  'offload',
  'directory',
  'records',
  'owners',
  'clock',
  'daemon',
] as const;
export type Group = (typeof GROUPS)[number];

/** `note`: information. `warning`: works, but may fail later. `broken`: something does not work. */
export const LEVELS = ['ok', 'note', 'warning', 'broken'] as const;
export type Level = (typeof LEVELS)[number];

export interface Finding {
  group: Group;
  /** Name of the check within its group, for programs. */
  check: string;
  level: Level;
  /** One line; names the device, key or setting. */
  what: string;
  /** The consequence. */
  why?: string;
  /** Commands that fix it. */
  fix?: CommandLine[];
}

type Said = Omit<Finding, 'group'>;

/** Constructors of a group's findings, one for each level. */
export const of = (group: Group) => ({
  ok: (check: string, what: string): Finding => ({ group, check, level: 'ok', what }),
  note: said(group, 'note'),
  warning: said(group, 'warning'),
  broken: said(group, 'broken'),
});

function said(group: Group, level: Level) {
  return (check: string, what: string, why?: string, ...fix: CommandLine[]): Finding => {
    const one: Said = { check, level, what };
    if (why !== undefined) one.why = why;
    if (fix.length > 0) one.fix = fix;
    return { group, ...one };
  };
}

/** For the exit code, which is 0 if there are only warnings. */
export const isBroken = (findings: readonly Finding[]): boolean =>
  findings.some(({ level }) => level === 'broken');
