import { describe, expect, it } from 'vitest';
import { type Scene, type SceneRoute, parseRoutes, parseScene } from '../../../src/join/scene.ts';
import { chooseUnderlay } from '../../../src/join/underlay-address.ts';

type Address = string | { ip: string; temporary?: true; deprecated?: true; tentative?: true };

/** As `ip -j -d address show` prints it. */
function scene(links: Record<string, { at: Address[]; alias?: string; flags?: string[] }>): Scene {
  const printed = Object.entries(links).map(([ifname, { at, alias, flags = ['UP'] }], index) => ({
    ...{ ifindex: index + 1, ifname, mtu: 1500, flags, ...(alias === undefined ? {} : { ifalias: alias }) },
    addr_info: at.map((one) => {
      const { ip, ...state } = typeof one === 'string' ? { ip: one } : one;
      const [local = '', length = ''] = ip.split('/');
      const scope = local.startsWith('fe80') ? 'link' : local.startsWith('127.') ? 'host' : 'global';
      return { local, prefixlen: Number(length), scope, ...state };
    }),
  }));
  // An interface that went away while it was read.
  return parseScene(JSON.stringify([{}, ...printed]));
}

const byDefault = (family: 4 | 6, route: object): SceneRoute[] =>
  parseRoutes(JSON.stringify([{ dst: 'default', ...route }]), family);

const LO = { at: ['127.0.0.1/8'], flags: ['UP', 'LOOPBACK'] };

describe('the underlay address', () => {
  it('is the first of --local that is assigned', () => {
    const links = scene({ lo: LO, eth0: { at: ['10.0.0.1/24'] }, eth1: { at: ['10.1.0.1/24'] } });
    const routes = byDefault(4, { dev: 'eth0', gateway: '10.0.0.254' });
    expect(chooseUnderlay(links, routes, ['10.9.9.9', '10.1.0.1'])).toEqual({
      ...{ address: '10.1.0.1', device: 'eth1', mtu: 1500 },
    });
    expect(chooseUnderlay(links, routes, ['10.9.9.9']).address).toBe('10.0.0.1');
  });

  it('may be on loopback if --local names it', () => {
    const links = scene({
      lo: { ...LO, at: ['127.0.0.1/8', '192.0.2.1/32'] },
      eth0: { at: ['10.0.0.1/24'] },
    });
    expect(chooseUnderlay(links, [], ['192.0.2.1']).device).toBe('lo');
    expect(chooseUnderlay(links, [], []).device).toBe('eth0');
  });

  it('is the source of the default route: the named one, else the one in the gateway’s subnet, else the first', () => {
    const links = scene({
      lo: LO,
      eth0: { at: ['10.0.0.1/24', '10.1.0.1/24'] },
      eth1: { at: ['10.2.0.1/24'] },
    });
    const chosen = (route: object): string => chooseUnderlay(links, byDefault(4, route), []).address;
    expect(chosen({ dev: 'eth0', gateway: '10.1.0.254', prefsrc: '10.0.0.1' })).toBe('10.0.0.1');
    expect(chosen({ dev: 'eth0', gateway: '10.1.0.254' })).toBe('10.1.0.1');
    expect(chosen({ dev: 'eth0', gateway: '192.0.2.1' })).toBe('10.0.0.1');
    expect(chosen({ dev: 'eth1' })).toBe('10.2.0.1');
  });

  it('follows the default route of the least metric with a carrier', () => {
    const links = scene({ lo: LO, eth0: { at: ['10.0.0.1/24'] }, eth1: { at: ['10.1.0.1/24'] } });
    const routes = [
      ...byDefault(4, { dev: 'eth0', metric: 200 }),
      ...byDefault(4, { dev: 'eth1', metric: 100 }),
    ];
    expect(chooseUnderlay(links, routes, []).address).toBe('10.1.0.1');
    const dead = byDefault(4, { dev: 'eth1', flags: ['linkdown'] });
    expect(chooseUnderlay(links, [...dead, ...routes.slice(0, 1)], []).address).toBe('10.0.0.1');
  });

  it('is IPv6 if the default route is, and never temporary, deprecated or tentative', () => {
    const at: Address[] = [
      { ip: 'fd00::1/64', temporary: true },
      { ip: 'fd00::2/64', deprecated: true },
      { ip: 'fd00::3/64', tentative: true },
      'fd00::4/64',
      'fe80::1/64',
    ];
    const links = scene({ lo: LO, eth0: { at: ['10.0.0.1/24', ...at] } });
    expect(chooseUnderlay(links, byDefault(6, { dev: 'eth0', gateway: 'fe80::ff' }), []).address).toBe(
      'fd00::4',
    );
    expect(chooseUnderlay(links, [], []).address).toBe('10.0.0.1');
  });

  it('is the only global address without a default route, not counting missd’s own', () => {
    const ours = { at: ['10.20.1.1/24'], alias: 'missd:green' };
    const links = scene({ lo: LO, eth0: { at: ['10.0.0.1/24', 'fd00::1/64'] }, 'br-green': ours });
    expect(chooseUnderlay(links, [], []).address).toBe('10.0.0.1');
  });

  it('must be given by the operator if there are several candidates or none', () => {
    const several = scene({ lo: LO, eth0: { at: ['10.0.0.1/24'] }, docker0: { at: ['172.17.0.1/16'] } });
    expect(() => chooseUnderlay(several, [], [])).toThrow(
      'no underlay address: there is no default route, and 10.0.0.1 (eth0), 172.17.0.1 (docker0) could be meant; name one by --local',
    );
    expect(() => chooseUnderlay(scene({ lo: LO, eth0: { at: [] } }), [], [])).toThrow(
      'no interface but loopback',
    );
  });
});
