/** This host's clock against the directory's. */
import { remarked, sh } from '../screen/shell.ts';
import { duration } from '../screen/span.ts';
import { type Finding, of } from './finding.ts';
import type { RedisFacts } from './redis.ts';

const say = of('clock');

/** A smaller difference is not reported, ms. */
const TOLERATED = 1_000;
/** A larger difference is a warning: it breaks certificates and comparisons of logs, ms. */
const MUCH = 60_000;

export function judgeClock({ ahead, within }: RedisFacts['clock']): Finding[] {
  if (!Number.isFinite(within))
    return [say.note('skew', 'the clock of the directory could not be read (TIME)')];
  const off = Math.abs(ahead);
  if (off <= TOLERATED + within)
    return [say.ok('skew', `within ${Math.max(1, Math.ceil(off + within))} ms of the directory's`)];
  const what = `this host's clock is ${duration(off / 1000)} ${ahead > 0 ? 'ahead of' : 'behind'} the directory's`;
  const why =
    'missd uses the clock of Redis for TTLs and for the membership of broadcast domains. The skew affects writers that compute the scores of vteps by their own clock, TLS certificates, and a comparison of the logs of two hosts.';
  return off > MUCH
    ? [
        say.warning(
          'skew',
          what,
          why,
          remarked(sh`chronyc makestep`, 'or: systemctl restart systemd-timesyncd'),
        ),
      ]
    : [say.note('skew', what, why, remarked(sh`chronyc tracking`, 'or: timedatectl timesync-status'))];
}
