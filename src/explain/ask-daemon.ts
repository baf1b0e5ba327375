import type { HostPort } from '../config/parse.ts';
import { reasonOf } from '../base/errors.ts';
import type { Account } from '../observe/history/account.ts';
import type { Vni } from '../base/vocabulary.ts';
import type { DaemonFacts } from './facts.ts';

/** ms; a daemon that answers later is reported as silent. */
const TIMEOUT = 2_000;

/** Asks the daemon that listens at `host:port` for its history of an address. */
export async function askDaemon({ host, port }: HostPort, vni: Vni, address: string): Promise<DaemonFacts> {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  try {
    const query = new URLSearchParams({ vni: String(vni), address });
    const response = await fetch(`${url}/history?${query.toString()}`, {
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (!response.ok) return { url, silent: `HTTP ${response.status}` };
    return { url, account: (await response.json()) as Account };
  } catch (error) {
    const { cause } = error as Error;
    return { url, silent: reasonOf(cause ?? error) };
  }
}
