/** Finds the namespace that a VXLAN device's packets leave from: the namespace in which the device was created. */
import { readdirSync, readlinkSync } from 'node:fs';
import { z } from 'zod';
import type { Namespace } from '../kernel/kernel.ts';
import type { InterfaceAddress, Link } from '../base/vocabulary.ts';
import { fromJson, printed } from './inside.ts';

const DOCKER = '/run/docker/netns';

/**
 * The kernel names the namespace by a number that is valid only in the device's namespace. iproute2 maps it to a name under
 * /run/netns; other candidates are recognized by their addresses.
 * @param path of the device's namespace; null for the namespace of this process
 * @returns its path; null for the namespace of this process; undefined if the namespace has no name here
 */
export async function underlayPath(
  path: string | null,
  kernel: Namespace,
  { linkNetnsid }: Link,
): Promise<string | null | undefined> {
  if (linkNetnsid === undefined) return path;
  const wanted = fingerprint(await kernel.addresses(linkNetnsid));
  if (fingerprint(await addressesOf(null)) === wanted) return null;
  const named = await nameOf(path, linkNetnsid);
  if (named !== undefined) return `/run/netns/${named}`;
  for (const candidate of candidates())
    if (fingerprint(await addressesOf(candidate).catch(() => [])) === wanted) return candidate;
  return undefined;
}

const nsidSchema = z.array(z.object({ nsid: z.number(), name: z.string().optional() }));

async function nameOf(path: string | null, nsid: number): Promise<string | undefined> {
  const text = await printed(path, ['ip', '-j', 'netns', 'list-id']).catch(() => '');
  if (text.trim() === '') return undefined;
  return nsidSchema.parse(fromJson(text)).find((one) => one.nsid === nsid)?.name;
}

/** The host's namespace, if this process is in a container that sees the host's processes, and Docker's namespaces. */
function candidates(): string[] {
  const found = [];
  try {
    if (readlinkSync('/proc/1/ns/net') !== readlinkSync('/proc/self/ns/net')) found.push('/proc/1/ns/net');
  } catch {
    // A namespace whose link may not be read could not be entered either.
  }
  try {
    found.push(...readdirSync(DOCKER).map((name) => `${DOCKER}/${name}`));
  } catch {
    // No Docker here.
  }
  return found;
}

const addressSchema = z.array(
  z.object({ ifindex: z.number(), addr_info: z.array(z.object({ local: z.string().optional() })) }),
);

async function addressesOf(path: string | null): Promise<InterfaceAddress[]> {
  const text = await printed(path, ['ip', '-j', 'address', 'show']);
  return addressSchema
    .parse(fromJson(text))
    .flatMap(({ ifindex, addr_info }) =>
      addr_info.flatMap(({ local }) => (local === undefined ? [] : [{ ifindex, ip: local }])),
    );
}

const fingerprint = (addresses: readonly InterfaceAddress[]): string =>
  addresses
    .map(({ ifindex, ip }) => `${ifindex} ${ip}`)
    .sort()
    .join();
