/** SIGHUP, as a service manager, an operator or a terminal that closes sends it, to a daemon on the real kernel. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Daemon, MISSD, freePort } from '../../src/lab/daemon.ts';
import type { Guest } from '../../src/lab/guest.ts';
import { until } from '../../src/lab/wait.ts';
import { Pair, close, tellOnFailure } from './harness.ts';

let pair: Pair | undefined;
let config: string;
let password: string;
let daemon: Daemon;
tellOnFailure(() => pair);

const lab = (): Pair => {
  if (pair === undefined) throw new Error('there is no lab');
  return pair;
};
const file = (name: string): string => join(lab().lab.directory, name);
const texts = (): string[] => daemon.log.map((line) => (JSON.parse(line) as { msg: string }).msg);
/** A ceiling that only a hang reaches. */
const PATIENCE = { timeout: 60_000 };
/** A device that is served, so that there is something to tell. */
const VXLAN = 'ip link add fresh0 type vxlan id 9 dstport 4790 local 10.99.0.2 l2miss l3miss nolearning';

/** What the daemon says next that is like this. */
async function says(words: RegExp, act: () => void): Promise<string> {
  const before = daemon.log.length;
  act();
  return until(`the log to say ${String(words)}`, () =>
    texts()
      .slice(before)
      .find((text) => words.test(text)),
  );
}
/** As often as a busy machine needs. */
const answered = (from: Guest, to: string | undefined): Promise<boolean> =>
  until(`an answer from ${to ?? ''}`, async () => (await from.ping(to ?? '')).received === 1, PATIENCE);
const hangUp = (): void => {
  daemon.program.signal('SIGHUP');
};

beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  const { redis, host1, host2, guest1, guest2 } = pair;
  await pair.publishGuests(guest1, guest2);
  await redis.cli('ACL', 'SETUSER', 'missd', 'on', '>old', '~*', '&*', '+@all');
  config = file('missd.yaml');
  password = file('password');
  writeFileSync(config, 'device: other0\nlifetime: 60\n');
  writeFileSync(password, 'old\n');
  const flags = ['--config', config, '--redis', `unix://missd@${redis.socket}`];
  daemon = await pair.start(host1, [...flags, '--redis-password-file', password]);
  // Before it has begun to serve, too: by then its handler is there.
  await daemon.program.until('its first word', () => daemon.log.length > 0, PATIENCE);
  hangUp();
  const other = await pair.start(host2);
  for (const one of [daemon, other])
    await one.program.until(
      'it to be ready',
      async () => (await one.get('/readyz'))?.status === 200,
      PATIENCE,
    );
});
afterAll(() => close(pair));

test('one during the start is done once it has started', async () => {
  await until('it to be told', () => texts().filter((text) => text.startsWith('SIGHUP')).length === 1);
  expect(daemon.program.end).toBeUndefined();
});

test('a wrong file changes nothing', async () => {
  const device = lab().host1.segments[0]?.device ?? '';
  writeFileSync(config, `device: ${device}\naudit: 3000000\n`);
  expect(await says(/^SIGHUP/, hangUp)).toMatch(/nothing is changed: .*audit: expected seconds/);
  writeFileSync(config, 'device: [');
  expect(await says(/^SIGHUP/, hangUp)).toMatch(/nothing is changed/);
  expect(await daemon.metric('missd_devices')).toBe(0);
});

test('a device that is added is served, and a ping finds its way', async () => {
  const { host1, guest1, guest2 } = lab();
  writeFileSync(config, `device: ${host1.segments[0]?.device ?? ''}\nlifetime: 30\nbroadcast-rate: 7\n`);
  const said = await says(/^SIGHUP: device/, hangUp).catch(() => texts().join('\n'));
  expect(said).toContain('lifetime 60 → 30');
  await until('the device to be served', async () => (await daemon.metric('missd_devices')) === 1);
  await until('what needs a restart to be told', () =>
    texts().some((text) => text === 'SIGHUP: a restart is needed for another broadcast-rate'),
  );
  await answered(guest1, guest2.ip4);
  expect(await daemon.metric('missd_entries', { table: 'neighbour' })).toBeGreaterThan(0);
});

test('VTEPs that are no longer allowed lose their entries, and get them back', async () => {
  const device = lab().host1.segments[0]?.device ?? '';
  const entries = (): Promise<number> => daemon.metric('missd_entries', { table: 'neighbour' });
  writeFileSync(config, `device: ${device}\nlifetime: 30\nbroadcast-rate: 7\nvtep-allow: 192.0.2.0/24\n`);
  await says(/^SIGHUP: vtep-allow any → 192/, hangUp);
  await until('the entries to go', async () => (await entries()) === 0);
  writeFileSync(config, `device: ${device}\nlifetime: 30\nbroadcast-rate: 7\n`);
  await says(/^SIGHUP: vtep-allow/, hangUp);
  const { guest1, guest2 } = lab();
  await answered(guest1, guest2.ip4);
});

test('a password that is rotated is used for the next connection, then the old one closes', async () => {
  const { redis } = lab();
  const ids = async (): Promise<string[]> =>
    [...(await redis.cli('CLIENT', 'LIST')).matchAll(/^id=(\d+) .* user=missd /gm)].map(([, id = '']) => id);
  const before = await ids();
  expect(before.length).toBeGreaterThan(0);
  writeFileSync(password, 'new\n');
  // The server does not know it yet: what there is stays.
  await says(/is not taken, the old connection stays: wrong user name or password/, hangUp);
  expect(await daemon.metric('missd_directory_up')).toBe(1);
  await redis.cli('ACL', 'SETUSER', 'missd', 'resetpass', '>new');
  await until('other connections than before', async () => {
    const now = await ids();
    return now.length > 0 && !now.some((id) => before.includes(id));
  });
  expect(await daemon.metric('missd_directory_up')).toBe(1);
  const { guest1, guest2 } = lab();
  await redis.cli('CLIENT', 'KILL', 'USER', 'missd');
  await answered(guest1, guest2.ip6);
});

test('a terminal that closes takes nothing down', async () => {
  const { host2 } = lab();
  const listen = `127.0.0.1:${await freePort()}`;
  const directory = file('none.yaml');
  writeFileSync(directory, 'vnis: {}\n');
  const pidFile = file('terminal.pid');
  const command = `echo $$ > ${pidFile}; exec ${process.execPath} ${MISSD} run --directory ${directory} --netns ${host2.served[0] ?? ''} --device fresh0 --listen ${listen} --log-level debug`;
  const script: ChildProcess = spawn('script', ['-qec', command, '/dev/null'], { stdio: 'pipe' });
  const healthy = async (): Promise<boolean> =>
    fetch(`http://${listen}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until('it to serve', healthy, PATIENCE);
  const pid = Number(readFileSync(pidFile, 'utf8'));
  try {
    // The other side of the terminal goes: SIGHUP, and from then on EIO for whoever writes.
    const gone = new Promise((resolve) => script.once('close', resolve));
    script.kill('SIGKILL');
    await gone;
    const { namespace } = host2;
    await namespace.exec(VXLAN.split(' '));
    await until('a line that is lost', async () => {
      const text = await fetch(`http://${listen}/metrics`).then((answer) => answer.text());
      return /missd_log_lines_lost_total [1-9]/.test(text);
    });
    expect(await healthy()).toBe(true);
  } finally {
    process.kill(pid, 'SIGTERM');
  }
  await until('it to end', async () => !(await healthy()));
});
