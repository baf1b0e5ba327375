/** FRR (zebra and bgpd with EVPN) of Debian 13 in a host's namespace, in a root of its own (test/roots.sh). */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../../src/lab/command.ts';
import type { Host } from '../../src/lab/host.ts';
import type { Lab } from '../../src/lab/lab.ts';
import type { Program } from '../../src/lab/program.ts';

/** The first call downloads Debian, which takes minutes. @throws LabError with what to do where it cannot be had */
export async function frrRoot(): Promise<string> {
  const script = fileURLToPath(new URL('../roots.sh', import.meta.url));
  return (await run(['sh', script, 'trixie', 'frr'], { timeout: 1_500_000 })).trim();
}

export class Frr {
  readonly zebra: Program;
  readonly bgpd: Program;

  /** @param peer whose namespace has the other FRR */
  static async start(lab: Lab, root: string, folder: string, host: Host, peer: Host): Promise<Frr> {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'zebra.conf'), `hostname h${host.n}\n`);
    writeFileSync(join(folder, 'bgpd.conf'), evpn(host.vtep, peer.vtep));
    const daemon = (name: string): Promise<Program> =>
      lab.start(host.namespace.inside(inRoot(root, folder, name)));
    const zebra = await daemon('zebra');
    await zebra.until('zebra to listen', () => existsSync(join(folder, 'zserv.api')));
    return new Frr(zebra, await daemon('bgpd'));
  }

  private constructor(zebra: Program, bgpd: Program) {
    this.zebra = zebra;
    this.bgpd = bgpd;
  }

  /** @param signal SIGTERM: it deletes what it wrote. SIGKILL: it leaves it. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    for (const program of [this.bgpd, this.zebra]) {
      program.signal(signal);
      await program.ended;
    }
  }
}

/**
 * In a mount namespace of its own: the root's /run/frr is the folder, which both daemons share and this process can read.
 * The shell becomes the daemon, so the signals that the program gets are the daemon's.
 */
function inRoot(root: string, folder: string, name: string): string[] {
  const script = `
    mkdir -p "$1/run/frr" && mount --bind "$2" "$1/run/frr" && mount -t proc proc "$1/proc" &&
    chroot "$1" chown -R frr:frr /run/frr && root=$1 && shift 2 && exec chroot "$root" "$@"`;
  const files = ['-z', '/run/frr/zserv.api', '-i', `/run/frr/${name}.pid`, '-f', `/run/frr/${name}.conf`];
  const command = [
    `/usr/lib/frr/${name}`,
    ...files,
    '--vty_socket',
    '/run/frr',
    '-P',
    '0',
    '--log',
    'stdout',
  ];
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', root, folder, ...command];
}

/** Every VXLAN device of the namespace becomes FRR's by `advertise-all-vni`. */
const evpn = (vtep: string, peer: string): string => `router bgp 65000
 bgp router-id ${vtep}
 no bgp default ipv4-unicast
 neighbor ${peer} remote-as 65000
 neighbor ${peer} timers connect 1
 neighbor ${peer} advertisement-interval 0
 address-family l2vpn evpn
  neighbor ${peer} activate
  advertise-all-vni
 exit-address-family
`;
