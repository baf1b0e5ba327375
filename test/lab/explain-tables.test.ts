/** Faults of a host's own tables and devices, with nobody there to mend them: what `missd explain` makes of each. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { MISSD } from '../../src/lab/daemon.ts';
import { attempt } from '../../src/lab/command.ts';
import { macRecord } from '../../src/lab/records.ts';
import { explain, follow } from './explaining.ts';
import { Pair, close } from './harness.ts';

const IP = '20.0.0.2';
let pair: Pair;
beforeAll(async () => {
  pair = await Pair.build({ noDaemons: true });
  await pair.publishGuests(pair.guest1, pair.guest2);
  await pair.publish(macRecord(pair.guest2));
});
afterAll(() => close(pair));

const ip = (...words: (string | number)[]) => pair.host1.namespace.ip(words);
const bridge = (...words: (string | number)[]) => pair.host1.namespace.bridge(words);
/** As a control plane would write it. */
const neighbourBy = (state: string, mac = pair.guest2.mac) =>
  ip('neigh', 'replace', IP, 'lladdr', mac, 'dev', 'vxlan100', 'nud', state);
const forwarding = (vtep = pair.host2.vtep) =>
  bridge('fdb', 'replace', pair.guest2.mac, 'dev', 'vxlan100', 'self', 'dst', vtep);

afterEach(async () => {
  // Taking the device down empties its tables.
  await ip('link', 'set', 'vxlan100', 'down');
  await ip('link', 'set', 'vxlan100', 'up');
});

test('nothing there and nobody who answers: no daemon', async () => {
  const { verdict, code } = await explain(pair);
  expect(verdict).toMatchObject({ works: false, cause: 'no_daemon' });
  expect(verdict.next).toBe(
    `missd run --netns ${pair.host1.namespace.name} --device vxlan100 --redis ${pair.redis.socket}`,
  );
  expect(code).toBe(1);
});

test('a missing FDB entry', async () => {
  await neighbourBy('permanent');
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'missing_fdb' });
  expect(found.verdict.says).toContain(`${pair.guest2.mac} has no FDB entry on vxlan100`);
  await follow(found);
  expect((await explain(pair)).verdict).toMatchObject({ works: true });
});

test('a STALE neighbour, which neither answers nor asks', async () => {
  await neighbourBy('stale');
  await forwarding();
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'stale_neighbour' });
  expect(found.of('neighbour')[0]?.text).toMatch(/ STALE, the kernel’s own/);
  await follow(found);
  expect((await explain(pair)).of('neighbour')[0]?.text).toMatch(
    /^none: the first question raises an L3 miss/,
  );
});

test('a foreign permanent entry: a neighbour with another MAC', async () => {
  await neighbourBy('permanent', '02:00:00:00:00:aa');
  await forwarding();
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'foreign_entry' });
  expect(found.verdict.says).toMatch(
    /permanent neighbour entry overrides the record: 20\.0\.0\.2 is 02:00:00:00:00:aa/,
  );
  await follow(found);
  expect((await explain(pair)).of('neighbour')[0]?.text).toMatch(/^none/);
});

test('a foreign permanent entry: forwarding to another VTEP', async () => {
  await neighbourBy('permanent');
  await forwarding('10.99.0.9');
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'foreign_entry' });
  expect(found.verdict.says).toContain(
    'is behind 10.99.0.9 in the kernel, behind 10.99.0.2 by the directory',
  );
  await follow(found);
  expect(await pair.host1.segment.fdb()).toEqual([]);
});

test('a device with a default remote, where what is unknown goes without a miss', async () => {
  await neighbourBy('permanent');
  await ip('link', 'set', 'vxlan100', 'type', 'vxlan', 'id', 100, 'remote', '10.99.0.9');
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'default_remote' });
  await follow(found);
  expect((await explain(pair)).verdict.cause).toBe('missing_fdb');
});

test('a device without l3miss, which drops questions and tells nobody', async () => {
  await ip('link', 'del', 'vxlan100');
  const words = ['mtu', 1450, 'type', 'vxlan', 'id', 100, 'dstport', 4789, 'local', '10.99.0.1'];
  await ip('link', 'add', 'vxlan100', ...words, 'nolearning', 'proxy', 'l2miss');
  await ip('link', 'set', 'vxlan100', 'master', 'br0', 'up');
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'no_l3miss' });
  await follow(found);
  expect((await explain(pair)).verdict.cause).toBe('no_daemon');
});

test('a device that is down', async () => {
  await ip('link', 'set', 'vxlan100', 'down');
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'device_down' });
  await follow(found);
  expect((await explain(pair)).verdict.cause).toBe('no_daemon');
});

test('a device with an MTU too large for the underlay', async () => {
  await neighbourBy('permanent');
  await forwarding();
  await ip('link', 'set', 'vxlan100', 'mtu', 1500);
  const found = await explain(pair);
  expect(found.verdict).toMatchObject({ works: false, cause: 'mtu' });
  expect(found.of('MTU')[0]?.text).toBe('1500 of vxlan100 + 50 of VXLAN = 1550, but 1500 gets through');
  await follow(found);
  expect((await explain(pair)).verdict.works).toBe(true);
});

test('an underlay with a smaller MTU on the way, which nobody tells of', async () => {
  await neighbourBy('permanent');
  await forwarding();
  const { namespace } = pair.lab.underlay;
  await namespace.ip(['link', 'set', 'h2', 'mtu', 1400]);
  const { verdict } = await explain(pair);
  await namespace.ip(['link', 'set', 'h2', 'mtu', 1500]);
  expect(verdict).toMatchObject({ works: false, cause: 'mtu' });
});

describe('an overlay that is not missd’s, without daemon and directory', () => {
  const nobody = { flags: [] };

  test('as its control plane fills it: the kernel’s evidence says that it works', async () => {
    await neighbourBy('permanent');
    await forwarding();
    const { verdict, of } = await explain(pair, nobody);
    expect(of('FDB')[0]?.text).toMatch(/permanent, written/);
    expect(verdict.works).toBe(true);
    expect(verdict.says).toContain(`works as far as the host goes: ${pair.guest2.mac} is behind 10.99.0.2`);
  });

  test('with the recipe of the first Flannel: the blackhole after half a minute is named', async () => {
    await neighbourBy('stale');
    await forwarding();
    const { verdict } = await explain(pair, nobody);
    expect(verdict).toMatchObject({ works: false, cause: 'stale_neighbour' });
  });
});

describe('what cannot be meant, or is not here', () => {
  const said = async (...words: string[]) => {
    const { code, stderr } = await attempt([process.execPath, MISSD, 'explain', ...words]);
    return { code, stderr };
  };
  const netns = () => ['--netns', pair.host1.namespace.name];

  test('is told in one line, with its exit code', async () => {
    expect(await said('100', '20.0.0.256', ...netns())).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^missd: .*20\.0\.0\.256.*\n$/) as string,
    });
    expect(await said('16777216', IP)).toMatchObject({ code: 2 });
    expect(await said('101', IP, ...netns())).toEqual({
      code: 1,
      stderr: `missd: VNI 101 is on no VXLAN device of ${pair.host1.namespace.name}\n`,
    });
    expect(await said('100', IP, '--netns', 'missd-nowhere')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^missd: \/run\/netns\/missd-nowhere: .*ENOENT.*\n$/) as string,
    });
    expect(await said('100', IP, ...netns(), '--from', 'missd-nowhere')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^missd: --from .*missd-nowhere.*\n$/) as string,
    });
    expect(await said('100', IP, ...netns(), '--device', 'br0')).toEqual({
      code: 1,
      stderr: 'missd: br0 is not a VXLAN device\n',
    });
  });
});
