/**
 * Stage 5 of a miss. Takes the record values of a question; gives the answer: the record, else the lease. A malformed record
 * counts as absent, is counted and reported.
 */
import type { MalformedReason } from '../base/outcomes.ts';
import {
  type LeaseRecord,
  type RecordContext,
  isMalformed,
  parseIpRecord,
  parseLease,
  parseMacRecord,
} from '../directory/record.ts';
import type { Directory, Lease } from '../directory/directory.ts';
import type { ServedDevice } from '../model/device.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';
import type { Answer } from '../model/question.ts';

/** What deciding on a record takes besides the device. */
export interface RecordPolicy {
  leases: Directory['leases'];
  vtepAllow: (vtep: Ip) => boolean;
  malformed: (device: ServedDevice, reason: MalformedReason, example: string) => void;
}

/** An L3 miss: the `ip:` record, else the lease that covers the address. */
export function answerL3(
  policy: RecordPolicy,
  device: ServedDevice,
  ip: Ip,
  value: string | null,
): Answer | undefined {
  return (
    fromIpRecord(policy, device, ip, value) ??
    fromLease(policy, device, (accept) => policy.leases(device.vni).covering(ip, accept))
  );
}

/**
 * An L2 miss: the `mac:` record, else a lease with that MAC, else the `ip:` record of an address known to use it.
 * @param addresses those whose `ip:` records `ipValues` are, in the same order
 */
export function answerL2(
  policy: RecordPolicy,
  device: ServedDevice,
  mac: Mac,
  macValue: string | null,
  addresses: readonly Ip[],
  ipValues: readonly (string | null)[],
): Answer | undefined {
  const named = fromMacRecord(policy, device, mac, macValue);
  if (named !== undefined) return named;
  const lease = fromLease(policy, device, (accept) => policy.leases(device.vni).withMac(mac, accept));
  if (lease !== undefined) return lease;
  for (const [index, ip] of addresses.entries()) {
    const answer = fromIpRecord(policy, device, ip, ipValues[index] ?? null);
    if (answer?.mac === mac) return answer;
  }
  return undefined;
}

export function fromMacRecord(
  policy: RecordPolicy,
  device: ServedDevice,
  mac: Mac,
  value: string | null,
): Answer | undefined {
  if (value === null) return undefined;
  const record = parseMacRecord(value, context(policy, device));
  if (isMalformed(record)) {
    policy.malformed(device, record.malformed, `mac:${mac} = ${value}`);
    return undefined;
  }
  return { mac, vtep: record.vtep, router: false, source: { kind: 'mac', name: mac } };
}

function fromIpRecord(
  policy: RecordPolicy,
  device: ServedDevice,
  ip: Ip,
  value: string | null,
): Answer | undefined {
  if (value === null) return undefined;
  const record = parseIpRecord(value, context(policy, device));
  if (isMalformed(record)) {
    policy.malformed(device, record.malformed, `ip:${ip} = ${value}`);
    return undefined;
  }
  const { mac, vtep, router } = record;
  return { mac, vtep, router, source: { kind: 'ip', name: ip } };
}

/** A malformed lease, or one of the wrong address family, counts as absent, so that a shorter prefix may answer. */
function fromLease(
  policy: RecordPolicy,
  device: ServedDevice,
  find: (accept: (lease: Lease) => boolean) => Lease | undefined,
): Answer | undefined {
  let usable: LeaseRecord | undefined;
  const lease = find(({ cidr, value }) => {
    const record = parseLease(value, context(policy, device));
    if (isMalformed(record)) policy.malformed(device, record.malformed, `subnet:${cidr} = ${value}`);
    else usable = record;
    return usable !== undefined;
  });
  if (lease === undefined || usable === undefined) return undefined;
  return { ...usable, router: false, source: { kind: 'lease', name: lease.cidr } };
}

/** Which VTEPs a record may name on this device. */
export const context = (
  { vtepAllow }: Pick<RecordPolicy, 'vtepAllow'>,
  device: ServedDevice,
): RecordContext => ({
  family: device.family,
  vtepAllow,
  linkLocal: device.underlay !== undefined,
  isBroadcast: device.isBroadcast,
});
