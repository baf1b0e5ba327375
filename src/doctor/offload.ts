/**
 * Checksum offload. Several drivers and kernels have sent VXLAN packets with wrong inner or outer checksums, and no
 * counter of the sender shows it. The check therefore counts packets that arrived here with a wrong checksum.
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
  /** Datagrams and segments that arrived with a wrong checksum since the namespace was created. */
  wrong: { udp: number; tcp: number } | undefined;
  /** UDP datagrams that arrived. */
  received: number;
  /** The device that packets leave from; `features` is undefined if ethtool does not tell. */
  device?: { name: string; driver?: string; features?: Features };
  /** VXLAN devices whose packets leave from the device. */
  tunnels: readonly string[];
}

/** On or off; absent if the driver does not have the feature. */
export interface Features {
  checksum?: boolean;
  tunnel?: boolean;
  tunnelChecksum?: boolean;
}

/** Drivers with a known fault in tunnel offload. */
const KNOWN: Record<string, string> = {
  vmxnet3:
    'ESXi handles tunnels on ports 8472 and 4789 only, and drops packets whose checksum it takes for wrong; turning the offload off is the known remedy',
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

/** The driver of a hardware device; undefined for others. */
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

/** Parses the output of `ethtool -k`. */
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
        'The kernel dropped them. The cause may be a NIC or driver of another host that computes wrong checksums for tunnelled packets: ping works, TCP does not. If the count rises while guests cannot connect, turn the offload off on the sending hosts.',
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
      ? say.note('unseen', `the counters of wrong checksums in ${where} could not be read`)
      : say.ok('checksums', `no wrong checksum among ${received} datagrams in ${where}${seen}`),
  ];
}

const word = (on: boolean | undefined): string => (on === undefined ? 'none' : on ? 'on' : 'off');
