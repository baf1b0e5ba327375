/** The daemon of this host, if one runs. */
import { lastValueFrom } from 'rxjs';
import type { HostPort } from '../config/parse.ts';
import { askStatus, statusUrl, whySilent } from '../observe/http/ask.ts';
import type { Status } from '../observe/http/status.ts';
import { blank, sh } from '../screen/shell.ts';
import { VERSION } from '../base/version.ts';
import { type Finding, of } from './finding.ts';
import type { LeaseLoss } from '../publish/publish-counters.ts';
import type { Subject } from './scene.ts';

const say = of('daemon');

export interface DaemonFacts {
  /** `HOST:PORT` that was asked. */
  where: string;
  status?: Status;
  /** Why there is no status. */
  reason?: string;
  /** The connection was refused, so no daemon runs here. */
  refused?: boolean;
}

export async function askDaemon(listen: HostPort): Promise<DaemonFacts> {
  const url = statusUrl(listen);
  const where = new URL(url).host;
  try {
    const status = await lastValueFrom(askStatus(url), { defaultValue: undefined });
    return status === undefined ? { where, reason: 'its answer was empty' } : { where, status };
  } catch (error) {
    const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
    return { where, reason: whySilent(error), refused: cause?.code === 'ECONNREFUSED' };
  }
}

/** Whether the daemon serves a device. */
export const serves = ({ status }: DaemonFacts, { place, link }: Subject): boolean =>
  status?.devices.some(
    ({ name, namespace, ifindex }) =>
      name === link.name && ifindex === link.ifindex && namespace === place.name,
  ) === true;

/** What the daemon publishes; a daemon of an earlier version does not say. */
export const publishingOf = ({ status }: DaemonFacts): Status['publishing'] =>
  (status as Partial<Status> | undefined)?.publishing ?? [];

const LOSSES: Record<Exclude<LeaseLoss, 'lapsed'>, string> = {
  displaced: 'another process with this id and VTEP has its lease',
  refused: 'a host with this id and another VTEP has its lease',
  cloned: 'a copy of the process renews its lease',
};

/** @param subjects devices that the daemon should serve */
export function judgeDaemon(facts: DaemonFacts, subjects: readonly Subject[]): Finding[] {
  const { where, status, reason = '', refused } = facts;
  if (status === undefined)
    return [
      refused === true
        ? say.note('runs', `no daemon answers at ${where}`, 'Nothing here answers misses yet.', sh`missd run`)
        : say.broken(
            'runs',
            `the daemon at ${where} does not answer: ${reason}`,
            'The program that listens there is stuck or is not missd.',
            sh`curl -v ${`http://${where}/healthz`}`,
          ),
    ];
  const findings: Finding[] = [];
  if (!status.ready)
    findings.push(
      say.broken(
        'ready',
        `the daemon is not ready: ${status.missing.join('; ')}`,
        'It serves the other devices and namespaces.',
        sh`curl -s ${`http://${where}/readyz`}`,
      ),
    );
  if (status.version !== VERSION)
    findings.push(
      say.note(
        'version',
        `the daemon is ${status.version}, this is ${VERSION}`,
        'The daemon was not restarted after the upgrade.',
      ),
    );
  for (const { network, host, loss } of publishingOf(facts))
    if (loss !== undefined && loss !== 'lapsed')
      findings.push(
        say.broken(
          'host-lease',
          `host ${host} publishes nothing in network ${network}: ${LOSSES[loss]}`,
          'Its guests get no records until the other process has ended its lease, or this daemon has another id.',
          sh`missd run --join ${network} --host-id ${blank('ID')}`,
        ),
      );
  for (const subject of subjects)
    if (!serves(facts, subject))
      findings.push(
        say.warning(
          'serves',
          `the daemon does not serve ${subject.name}`,
          'The daemon was started for other namespaces or devices, it refuses this device, or another daemon serves it.',
          sh`missd status --listen ${where}`,
        ),
      );
  const conflicts = Object.entries(status.conflicts).filter(([, count]) => count > 0);
  if (conflicts.length > 0)
    findings.push(
      say.note(
        'conflicts',
        `the daemon has met conflicts: ${conflicts.map(([name, count]) => `${name} ${count}`).join(', ')}`,
        'The directory and this host disagree; the log of the daemon names the records.',
        sh`journalctl -u missd -g conflict`,
      ),
    );
  const overruns = Object.values(status.overruns).reduce((sum, count) => sum + count, 0);
  if (overruns > 0)
    findings.push(
      say.warning(
        'overruns',
        `the kernel dropped messages for the daemon ${overruns} times`,
        'Misses were lost, and the guests had to ask again.',
        sh`missd run --receive-buffer 256MiB`,
      ),
    );
  if (findings.length === 0)
    findings.push(
      say.ok(
        'ready',
        `pid ${status.pid} is ready and serves ${status.devices.length} device${status.devices.length === 1 ? '' : 's'}`,
      ),
    );
  return findings;
}
