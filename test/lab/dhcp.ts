/** A DHCP server and a client, as Debian has them. */
import type { Guest } from '../../src/lab/guest.ts';
import type { Lab } from '../../src/lab/lab.ts';
import type { Program } from '../../src/lab/program.ts';

/** A server on a guest, with this one address to give away. */
export function serveDhcp(lab: Lab, { namespace }: Guest, address: string): Promise<Program> {
  const options = [
    ...['no-daemon', 'conf-file=/dev/null', 'port=0', 'interface=eth0', 'bind-interfaces', 'no-ping'],
    ...['leasefile-ro', 'dhcp-authoritative', `dhcp-range=${address},${address},255.255.255.0`],
  ];
  return lab.start(namespace.inside(['dnsmasq', ...options.map((option) => `--${option}`)]));
}

/** Resolves when a guest without an address has got one and uses it. */
export async function askDhcp(lab: Lab, { namespace }: Guest): Promise<void> {
  const bound = 'test "$1" != bound || ip address add "$ip/24" dev "$interface"';
  const script = `${lab.directory}/udhcpc.sh`;
  const write = `printf '#!/bin/sh\\n%s\\n' "$1" >"$2" && chmod 755 "$2"`;
  await namespace.exec(['sh', '-c', write, 'sh', bound, script]);
  const patience = ['-n', '-t', '10', '-T', '1'];
  await namespace.exec(['udhcpc', '-i', 'eth0', '-f', '-q', ...patience, '-s', script], { timeout: 30_000 });
}
