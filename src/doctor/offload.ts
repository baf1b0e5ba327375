/**
 * Checksum offload. Several drivers and kernels have sent VXLAN packets with wrong inner or outer checksums, and no
 * counter of the sender shows it; so only evidence is told: what arrived here with a wrong checksum.
 */
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { inside } from '../inspect/inside.ts';
import { type CommandLine, sh, typed } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';

const say = of('offload');

export interface OffloadFacts {
  where: string;
  /** Namespace of the underlay. */
  path: string | null;
  /** Datagrams that arrived with a wrong checksum, since the namespace is there. */
  wrong: { udp: number; tcp: number } | undefined;
  /** Datagrams that arrived. */
  received: number;
  /** The device packets leave from; `features` undefined where ethtool is not there or says nothing. */
  device?: { name: string; driver?: string; features?: Features };
  /** VXLAN devices whose packets leave there. */
  tunnels: readonly string[];
}

/** On or off; absent where the driver does not have it. */
export interface Features {
  checksum?: boolean;
  tunnel?: boolean;
  tunnelChecksum?: boolean;
}

/** Drivers with tunnel offload that did not do what it said, and where that is told. */
const KNOWN: Record<string, string> = {
  vmxnet3:
    'ESXi checks only tunnels on the ports it knows (8472, 4789) and drops packets that it finds wrong; turning the offload off is the known remedy',
};

export async function readOffload(
  place: { path: string | null; name: string },
  device: string | undefined,
  tunnels: readonly string[],
): Promise<OffloadFacts> {
  const { path } = place;
  const read = await inside(path, ['cat', '/proc/net/snmp']).catch(() => undefined);
  const counts = read?.code === 0 ? parseSnmp(read.stdout) : undefined;
  const facts = {
    ...{ where: place.name, path, tunnels },
    wrong: counts && { udp: counts.udp, tcp: counts.tcp },
    received: counts?.received ?? 0,
  };
  if (device === undefined) return facts;
  const told = await inside(path, ['ethtool', '-k', device]).catch(() => undefined);
  const driver = path === null ? driverOf(device) : undefined;
  return {
    ...facts,
    device: {
      name: device,
      ...(driver !== undefined && { driver }),
      ...(told?.code === 0 && { features: parseFeatures(told.stdout) }),
    },
  };
}

/** Of hardware only. */
function driverOf(device: string): string | undefined {
  try {
    return basename(readlinkSync(`/sys/class/net/${device}/device/driver`));
  } catch {
    return undefined;
  }
}

/** /proc/net/snmp: a line of names and a line of values for each protocol. */
export function parseSnmp(text: string): { udp: number; tcp: number; received: number } | undefined {
  const lines = text.split('\n');
  const value = (protocol: string, field: string): number | undefined => {
    const [names, values] = lines.filter((line) => line.startsWith(`${protocol}: `));
    const at = names?.split(' ').indexOf(field) ?? -1;
    return at < 1 ? undefined : Number(values?.split(' ')[at]);
  };
  const udp = value('Udp', 'InCsumErrors');
  const tcp = value('Tcp', 'InCsumErrors');
  const received = value('Udp', 'InDatagrams');
  return udp === undefined || tcp === undefined || received === undefined
    ? undefined
    : { udp, tcp, received };
}

/** `ethtool -k`. */
export function parseFeatures(text: string): Features {
  const on = new Map(
    [...text.matchAll(/^\s*([\w-]+): (on|off)/gm)].map(([, name, state]) => [name, state === 'on']),
  );
  const checksum = on.get('tx-checksum-ip-generic') ?? on.get('tx-checksumming');
  const tunnel = on.get('tx-udp_tnl-segmentation');
  const tunnelChecksum = on.get('tx-udp_tnl-csum-segmentation');
  return {
    ...(checksum !== undefined && { checksum }),
    ...(tunnel !== undefined && { tunnel }),
    ...(tunnelChecksum !== undefined && { tunnelChecksum }),
  };
}

export function judgeOffload({ where, path, wrong, received, device, tunnels }: OffloadFacts): Finding[] {
  const findings: Finding[] = [];
  const off = (): CommandLine[] =>
    [
      ...tunnels.map((name) => sh`ethtool -K ${name} tx-checksum-ip-generic off`),
      ...(device === undefined ? [] : [sh`ethtool -K ${device.name} tx-udp_tnl-segmentation off`]),
    ].map((command) => typed(path, command));
  if (wrong !== undefined && wrong.udp + wrong.tcp > 0)
    findings.push(
      say.warning(
        'checksums',
        `${wrong.udp} UDP datagrams and ${wrong.tcp} TCP segments arrived in ${where} with a wrong checksum`,
        'They were dropped. A peer whose NIC or driver computes checksums of tunnelled packets wrongly looks like this: ping works, TCP does not. If the count rises while guests fail to talk, turn the offload off on the hosts that send.',
        ...off(),
      ),
    );
  const known = KNOWN[device?.driver ?? ''];
  if (known !== undefined && device?.features?.tunnel !== false)
    findings.push(say.note('driver', `${device?.name ?? ''} is a ${device?.driver ?? ''}`, known, ...off()));
  if (findings.length > 0) return findings;
  const features = device?.features;
  const seen =
    features === undefined
      ? ''
      : `; ${device?.name ?? ''}: checksum ${word(features.checksum)}, tunnel segmentation ${word(features.tunnel)}`;
  return [
    wrong === undefined
      ? say.note('unseen', `whether packets arrive in ${where} with wrong checksums could not be seen`)
      : say.ok('checksums', `no wrong checksum among ${received} datagrams in ${where}${seen}`),
  ];
}

const word = (on: boolean | undefined): string => (on === undefined ? 'none' : on ? 'on' : 'off');
