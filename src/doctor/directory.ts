/** The Redis server: whether it answers, what it permits, and whether it keeps its data. */
import type { RedisTarget } from '../directory/redis/url.ts';
import { sh } from '../screen/shell.ts';
import { type Finding, of } from './finding.ts';
import { redisCli } from '../inspect/redis-cli.ts';
import type { RedisFacts } from './redis.ts';

const say = of('directory');

/** CLIENT TRACKING came with Redis 6.0. */
const OLDEST = 6;
/** A longer round trip is a warning, ms: the first packet of each pair waits for at least one. */
const SLOW = 20;

/** @param facts a string if the server could not be read: the reason */
export function judgeRedis(target: RedisTarget, facts: RedisFacts | string, keyPrefix: string): Finding[] {
  if (typeof facts === 'string') return [judgeUnreachable(target, facts)];
  const findings = [
    ...judgeRights(target, facts, keyPrefix),
    ...judgeKind(target, facts),
    ...judgeMemory(target, facts),
    ...judgePersistence(target, facts),
  ];
  const middle = facts.roundTrips[Math.floor(facts.roundTrips.length / 2)] ?? 0;
  if (middle > SLOW)
    findings.push(
      say.warning(
        'latency',
        `a round trip to ${target.name} takes ${middle.toFixed(0)} ms`,
        'The first packet of each pair waits for at least one.',
        redisCli(target, '--latency'),
      ),
    );
  if (facts.infoRefused !== undefined)
    findings.push(
      say.note(
        'info',
        `INFO is not permitted: ${facts.infoRefused}`,
        'Version, eviction, persistence and role are unknown; missd itself does not need INFO.',
      ),
    );
  const version = facts.info.get('redis_version');
  findings.push(
    say.ok(
      'answers',
      `${target.name} answers in ${middle.toFixed(2)} ms${version === undefined ? '' : `, Redis ${version}`}`,
    ),
  );
  return findings;
}

function judgeUnreachable(target: RedisTarget, reason: string): Finding {
  const why = 'Lookups fail; entries in the kernel stay in force.';
  const credentials = /user name or password|wants a password|NOAUTH/.test(reason);
  return say.broken(
    credentials ? 'credentials' : 'unreachable',
    `the directory does not answer: ${reason}`,
    why,
    credentials
      ? sh`missd run --redis redis://USER@HOST:6379 --redis-password-file /etc/missd/redis-password`
      : redisCli(target, 'PING'),
  );
}

/** Commands that missd can do without, and the disadvantage. */
const DISPENSABLE: Record<string, string> = {
  dbsize: 'Without it every answer from a lease needs a lookup.',
  getrange: 'A value of many megabytes then makes all lookups late.',
};

function judgeRights(target: RedisTarget, facts: RedisFacts, keyPrefix: string): Finding[] {
  const { refused, user = target.username } = facts;
  if (refused.length === 0) return [];
  // Without these commands lookups still work.
  const level = refused.every(({ command }) => command in DISPENSABLE) ? 'note' : 'broken';
  const commands = refused.map(({ command }) => command);
  return [
    say[level](
      'rights',
      `${user === undefined ? 'the Redis user' : `user ${user}`} may not: ${commands.join(', ')}`,
      level === 'note'
        ? refused.map(({ command }) => DISPENSABLE[command]).join(' ')
        : `missd uses them (${refused[0]?.reason ?? ''}).`,
      redisCli(
        { ...target, username: 'ADMIN', password: '' },
        ...['ACL', 'SETUSER', user ?? 'USER', `~${keyPrefix}:*`, '&__redis__:invalidate'],
        ...commands.map((command) => `+${command}`),
      ),
    ),
  ];
}

function judgeKind(target: RedisTarget, { info, kind }: RedisFacts): Finding[] {
  const findings: Finding[] = [];
  const version = info.get('redis_version');
  if (version !== undefined && Number.parseInt(version) < OLDEST)
    findings.push(
      say.broken(
        'version',
        `Redis is ${version}, older than ${OLDEST}.0`,
        'missd learns of changes by CLIENT TRACKING, which this version lacks.',
        redisCli(target, 'INFO', 'server'),
      ),
    );
  if (info.get('cluster_enabled') === '1' && kind === 'one')
    findings.push(
      say.broken(
        'cluster',
        `${target.name} is a node of a cluster, and --redis names a single server`,
        'The node has the records of some VNIs only, and refuses the others (MOVED).',
        sh`missd run --redis ${`redis+cluster://${target.name}`}`,
      ),
    );
  if (info.get('cluster_state') === 'fail')
    findings.push(
      say.broken(
        'cluster-state',
        'the cluster is down',
        'Some slots of the cluster have no master.',
        redisCli(target, 'CLUSTER', 'INFO'),
      ),
    );
  if (info.get('role') === 'slave') {
    const master = `${info.get('master_host') ?? ''}:${info.get('master_port') ?? ''}`;
    const link = info.get('master_link_status');
    if (link !== undefined && link !== 'up')
      findings.push(
        say.broken(
          'replica-link',
          `${target.name} is a replica that has lost its master ${master}`,
          'Records that changed since then are stale.',
          redisCli(target, 'INFO', 'replication'),
        ),
      );
    else
      findings.push(
        say.warning(
          'replica',
          `${target.name} is a replica of ${master}`,
          'It cannot be written to (endpoint set, --broadcast), and reports changes later than its master.',
          sh`missd run --redis ${`redis://${master}`}`,
        ),
      );
  }
  return findings;
}

function judgeMemory(target: RedisTarget, { info }: RedisFacts): Finding[] {
  const policy = info.get('maxmemory_policy');
  const limit = Number(info.get('maxmemory') ?? 0);
  const used = Number(info.get('used_memory') ?? 0);
  if (policy === undefined) return [];
  const fix = redisCli(target, 'CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  if (policy !== 'noeviction') {
    const which = policy.startsWith('volatile') ? 'records with a TTL' : 'records';
    return limit === 0
      ? [
          say.warning(
            'eviction',
            `maxmemory-policy is ${policy}`,
            `If maxmemory is set, ${which} are evicted when memory is full, and every host loses their entries.`,
            fix,
          ),
        ]
      : [
          say.warning(
            'eviction',
            `maxmemory-policy is ${policy}, with ${Math.round((100 * used) / limit)} % of maxmemory in use`,
            `When memory is full, ${which} are evicted, and every host loses their entries.`,
            fix,
          ),
        ];
  }
  if (limit > 0 && used > 0.9 * limit)
    return [
      say.warning(
        'memory',
        `${Math.round((100 * used) / limit)} % of maxmemory is in use`,
        'When it is full no record can be written.',
        redisCli(target, 'CONFIG', 'SET', 'maxmemory', String(2 * limit)),
      ),
    ];
  return [];
}

function judgePersistence(target: RedisTarget, { info, save }: RedisFacts): Finding[] {
  const findings: Finding[] = [];
  if (info.get('rdb_last_bgsave_status') === 'err' || info.get('aof_last_write_status') === 'err')
    findings.push(
      say.broken(
        'persistence-failed',
        'Redis could not write its data to disk',
        'Redis refuses writes (MISCONF), and a restart loses the records since then.',
        redisCli(target, 'INFO', 'persistence'),
      ),
    );
  const replicated = Number(info.get('connected_slaves') ?? 0) > 0 || info.get('role') === 'slave';
  if (info.get('aof_enabled') === '0' && save === '')
    findings.push(
      say[replicated ? 'note' : 'warning'](
        'persistence',
        'Redis keeps nothing on disk (no save, no appendonly)',
        'A restart empties the directory. Entries then stay for --withdrawal-grace seconds (300), and are removed unless a writer restores the records.',
        redisCli(target, 'CONFIG', 'SET', 'appendonly', 'yes'),
        redisCli(target, 'CONFIG', 'REWRITE'),
      ),
    );
  return findings;
}
