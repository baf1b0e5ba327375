/** What doctor says: one thing that was looked at, how it is, why that matters and what fixes it. */

import type { CommandLine } from '../screen/shell.ts';

/** In the order in which they are told. */
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

/** `note`: worth knowing, nothing to do. `warning`: works, until. `broken`: something does not work. */
export const LEVELS = ['ok', 'note', 'warning', 'broken'] as const;
export type Level = (typeof LEVELS)[number];

export interface Finding {
  group: Group;
  /** Which of the group's checks, for programs. */
  check: string;
  level: Level;
  /** One line; names the device, key or setting. */
  what: string;
  /** What comes of it. */
  why?: string;
  /** Commands that fix it, exactly as to be typed. */
  fix?: CommandLine[];
}

type Said = Omit<Finding, 'group'>;

/** Findings of one group. */
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

/** For the exit code: warnings alone are none. */
export const isBroken = (findings: readonly Finding[]): boolean =>
  findings.some(({ level }) => level === 'broken');
