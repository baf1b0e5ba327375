/**
 * nftables, by its own program: a table is described in its language in a dozen lines, and replaced as one. It takes
 * 25 ms beside us, and only where somebody floods; the same over netlink would be 300 lines of ours for the same effect.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** A port that may only ask so many times a second, and for how long, s: it ends without us, should we be gone. */
export interface Throttled {
  port: number;
  seconds: number;
}

/** What the table is called, where nobody else has one of that name. */
export const THROTTLE_TABLE = 'missd';
/** Of releases that did not mark it. */
export const UNMARKED_THROTTLE = /set throttled \{[^]*chain asking \{/;

/**
 * The table whole. Only ARP requests and neighbour solicitations of throttled ports are counted: those to everybody, and
 * apart from them those to one (which a bridge floods as well if it does not know that one), so that a guest's probes of
 * the neighbours it talks to do not drown in its own flood. Of unicast frames only those to MACs that the port has not sent
 * to in the last 10 s are counted: each may be an L2 miss.
 * @param rate of each port and kind, a second
 * @returns undefined for no table
 */
export function ruleset(throttled: readonly Throttled[], rate: number): string | undefined {
  if (throttled.length === 0) return undefined;
  const elements = throttled.map(
    ({ port, seconds }) => `${port} timeout ${Math.max(1, Math.ceil(seconds))}s`,
  );
  const limit = `{ iif limit rate over ${rate}/second burst ${Math.max(1, Math.floor(rate / 4))} packets } drop`;
  return `  set throttled { type iface_index; flags timeout; elements = { ${elements.join(', ')} }; }
  set multicast { type iface_index; flags dynamic; size 4096; }
  set unicast { type iface_index; flags dynamic; size 4096; }
  set strange { type iface_index; flags dynamic; size 4096; }
  set known { type iface_index . ether_addr; flags dynamic, timeout; size 65535; timeout 10s; }
  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iif @throttled arp operation request goto asking
    iif @throttled icmpv6 type nd-neighbor-solicit goto asking
    iif @throttled ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 goto sending
  }
  chain asking {
    ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 update @multicast ${limit}
    ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 update @unicast ${limit}
  }
  chain sending {
    iif . ether daddr @known update @known { iif . ether daddr } accept
    update @strange ${limit}
    update @known { iif . ether daddr }
  }
`;
}

const NFT = ['nft', '-f', '-'] as const;

/** After which it will not answer any more, ms. */
const PATIENCE = 10_000;

/** Of what it lists or says, bytes: our tables are smaller. */
const MOST_SAID = 4 << 20;

/** Nothing came of it for want of something that may be there a moment later: it is worth another try. */
export class NftBusy extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = 'NftBusy';
  }
}

const PASSING = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'ENOMEM']);

/**
 * @param path of the namespace, null for the daemon's own: that takes CAP_NET_ADMIN and no CAP_SYS_ADMIN
 * @returns what it lists
 * @throws Error with nft's own words, where it is not installed, not allowed or the kernel has no nftables
 * @throws NftBusy when it could not be started or did not end in time
 */
export async function runNft(path: string | null, script: string): Promise<string> {
  const [program, ...args] = path === null ? NFT : ['nsenter', `--net=${path}`, '--', ...NFT];
  const { code, said, listed } = await ended(program, args, script).catch((error: unknown) => {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw PASSING.has(code) ? new NftBusy(`${program} cannot be started: ${code}`, { cause: error }) : error;
  });
  if (code === null) throw new NftBusy('nft ended with a signal');
  if (code !== 0) throw new Error(said.split('\n')[0]?.trim() || `nft ended with ${code}`);
  return listed;
}

/** A program from its start to its end, or what kept it from starting. */
function ended(
  program: string,
  args: readonly string[],
  input: string,
): Promise<{ code: number | null; said: string; listed: string }> {
  return new Promise((resolve, reject) => {
    // Without a descriptor left there is an error, and no streams in spite of their type (child_process, ChildProcess).
    const child: ChildProcess = spawn(program, args, {
      timeout: PATIENCE,
      // systemd gives a service a PATH with sbin, a shell of an ordinary user does not.
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    });
    child.on('error', reject);
    let [listed, said] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (listed.length < MOST_SAID) listed += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < MOST_SAID) said += text;
    });
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.on('error', () => undefined);
    child.once('close', (code) => {
      resolve({ code, said, listed });
    });
    child.stdin?.end(input);
  });
}
