/** The path to the VTEP, and whether a full-size packet gets through. */
import { overhead } from '../../inspect/iproute.ts';
import { type CommandLine, blank, device as deviceWord, sh, typed } from '../../screen/shell.ts';
import type { Facts, UnderlayFacts } from '../facts.ts';
import { type Cause, type Finding, finding } from '../finding.ts';
import { explainAgain, heardThroughTunnel, here, isProven, setRecord } from '../view.ts';

type Reached = UnderlayFacts & { path: string | null };

export function underlay(facts: Facts): Finding[] {
  const { underlay: found } = facts;
  if (found === undefined) return [];
  const { path } = found;
  if (path === undefined)
    return [finding('underlay', 'unknown', 'the namespace that the packets leave from has no name here')];
  const reached: Reached = { ...found, path };
  const cut = unrouted(reached);
  if (cut !== undefined) return [cut];
  const way = reach(facts, reached);
  return way.level === 'bad' ? [way] : [way, size(facts, reached)];
}

const there = ({ path }: Reached, command: CommandLine): CommandLine => typed(path, command);

function unrouted(found: Reached): Finding | undefined {
  const { vtep, unrouted: reason, route, link, home } = found;
  const down = [home, link].find((one) => one !== undefined && !one.carrier);
  if (reason === undefined && down === undefined) return undefined;
  const text = reason === undefined ? `${vtep} by ${route?.device ?? ''}` : `${vtep}: ${reason}`;
  const state = down === undefined ? '' : `; ${down.name} ${down.up ? 'has no carrier' : 'is down'}`;
  const next =
    down === undefined
      ? sh`ip route get ${vtep}`
      : down.up
        ? sh`ip -s link show ${deviceWord(down.name)}`
        : sh`ip link set ${deviceWord(down.name)} up`;
  return finding('underlay', 'bad', `${text}${state}`, {
    cause: {
      name: 'underlay_down',
      says: `the underlay is down: ${down === undefined ? `no way to ${vtep}, ${reason ?? ''}` : `${down.name} ${down.up ? 'has no carrier' : 'is down'}`}`,
      next: there(found, next),
    },
  });
}

function reach(facts: Facts, found: Reached): Finding {
  const { vtep, route, neighbour, small, full, refused } = found;
  const via = route?.gateway === undefined ? '' : ` via ${route.gateway}`;
  const lladdr = neighbour === undefined ? '' : `, ${neighbour.lladdr ?? 'no MAC'} ${neighbour.state}`;
  const text = `${vtep}${via} by ${route?.device ?? ''}${lladdr}`;
  const answered = small?.outcome === 'answered' || full?.outcome === 'answered';
  const proven = isProven(facts);
  const refusing = `${text}; no program receives VXLAN there (UDP port ${facts.device.link.vxlan.dstport} refused)`;
  if (refused === true)
    return proven
      ? finding('underlay', 'note', `${refusing}, but the guest got an answer`)
      : finding('underlay', 'bad', refusing, {
          cause: vtepCause(facts, found, 'answers, but takes no VXLAN packets'),
        });
  if (small?.outcome === 'answered') return finding('underlay', 'ok', `${text}, ping ${small.rtt} ms`);
  if (answered) return finding('underlay', 'ok', text);
  if (small?.outcome === 'not_tried')
    return finding('underlay', 'unknown', `${text}; no ping: ${small.said}`);
  // The guest's answer came through this VTEP, so the host of the VTEP is up and filters ping.
  if (proven)
    return finding('underlay', 'ok', `${text}, no answer to ping: filtered, because the guest got an answer`);
  const dead = neighbour?.lladdr === undefined && neighbour !== undefined;
  if (dead || small?.outcome === 'unreachable')
    return finding('underlay', 'bad', `${text}, no answer`, {
      cause: vtepCause(facts, found, 'does not answer'),
    });
  // The MAC may date from a time when the host was up. The guest's ping is silent too, so a filter is not the reason.
  if (facts.guest?.small?.outcome === 'silent')
    return finding('underlay', 'bad', `${text}, but no answer to ping: down, or it is filtered`, {
      cause: vtepCause(facts, found, 'does not answer ping'),
    });
  const heard = heardThroughTunnel(facts);
  if (heard !== undefined)
    return finding(
      'underlay',
      'note',
      `${text}, no answer to ping: filtered, because a frame of ${facts.mac ?? ''} came through the tunnel`,
      { age: heard / 1000 },
    );
  return finding('underlay', 'warn', `${text}, but no answer to ping: down, or it is filtered`, {
    cause: {
      name: 'vtep_unreachable',
      says: `the VTEP ${vtep} does not answer ping: it is down or wrong, or ICMP is filtered, which only a guest can tell`,
      next: explainAgain(facts, '--from', blank('GUEST-NETNS')),
    },
  });
}

/** A VTEP that only this record names is perhaps a typing error. */
function vtepCause(facts: Facts, found: Reached, what: string): Cause {
  const { vtep } = found;
  const { directory, expected } = facts;
  // The record itself, and the mac: record that goes with it.
  const own = directory.records.filter(({ value }) => value.split(' ').includes(vtep)).length;
  const lonely = directory.complete && expected?.vtep === vtep && (directory.vteps.get(vtep) ?? 0) <= own;
  const other = directory.users.find((user) => user.vtep !== vtep);
  if (expected?.vtep === vtep && other !== undefined)
    return {
      name: 'wrong_vtep',
      says: `the record says ${vtep}, which ${what}; the record of ${other.ip} has the same MAC behind ${other.vtep}: most likely the wrong VTEP`,
      next: setRecord(facts, undefined, other.vtep),
    };
  if (lonely && directory.vteps.size > 1)
    return {
      name: 'wrong_vtep',
      says: `the record says ${vtep}, which ${what}, and no other record names it: wrong VTEP, or its host is down`,
      next: setRecord(facts, undefined, blank('VTEP')),
    };
  return {
    name: found.refused === true ? 'wrong_vtep' : 'vtep_unreachable',
    says: `the VTEP ${vtep} ${what}`,
    next: there(found, sh`ping -c 3 ${vtep}`),
  };
}

function size(facts: Facts, found: Reached): Finding {
  const { vtep, route, link, size: wanted, small, full, fits } = found;
  const { link: device } = facts.device;
  const extra = overhead(vtep.includes(':') ? 6 : 4);
  const most = route?.mtu ?? link?.mtu;
  const told = full?.outcome === 'too_big' ? full.mtu : undefined;
  const text = `${device.mtu} of ${device.name} + ${extra} of VXLAN = ${wanted}`;
  const limit = Math.min(most ?? wanted, told ?? wanted);
  const through = facts.guest?.full?.outcome === 'answered' ? (facts.guest.mtu ?? 0) : 0;
  if (limit < wanted || full?.outcome === 'too_big')
    return finding(
      'MTU',
      through >= device.mtu ? 'warn' : 'bad',
      `${text}, but ${limit < wanted ? limit : 'less'} gets through`,
      {
        cause: tooLarge(facts, limit < wanted ? limit - extra : undefined, `${limit} bytes`),
      },
    );
  if (full?.outcome === 'answered') return finding('MTU', 'ok', `${text}: got through in ${full.rtt} ms`);
  if (through >= device.mtu)
    return finding('MTU', 'ok', `${text}: the guest got an answer at ${through} bytes`);
  if (small?.outcome === 'answered' && full?.outcome === 'silent')
    return finding(
      'MTU',
      'bad',
      `${text}: small packets are answered, this one is not${fits === undefined ? '' : `, ${fits} bytes are`}`,
      {
        cause: tooLarge(
          facts,
          fits === undefined ? undefined : fits - extra,
          fits === undefined ? 'less' : `${fits} bytes`,
        ),
      },
    );
  return finding('MTU', 'unknown', `${text}, within ${most ?? 'unknown'}: not probed`);
}

function tooLarge(facts: Facts, fitting: number | undefined, limit: string): Cause {
  const { name, mtu } = facts.device.link;
  return {
    name: 'mtu',
    says: `the MTU of ${name} (${mtu}) is too large: the underlay lets ${limit} through`,
    next: here(facts, sh`ip link set ${deviceWord(name)} mtu ${fitting ?? blank('SMALLER')}`),
  };
}
