/** Pings from a guest's namespace, the only proof that the address can be reached. */
import { blank, device as deviceWord, sh, typed } from '../../screen/shell.ts';
import type { Facts, GuestFacts } from '../facts.ts';
import { type Cause, type Finding, finding } from '../finding.ts';
import { explainAgain, explainThere, heardThroughTunnel, setRecord } from '../view.ts';

export function guest(facts: Facts): Finding[] {
  const { guest: found } = facts;
  if (found === undefined) return [];
  if (found.own !== undefined) return [owner(facts, found.own)];
  if (found.route === undefined)
    return [
      finding('guest', 'bad', `no route to ${facts.address}: ${found.unrouted ?? ''}`, {
        cause: {
          name: 'guest_unrouted',
          says: `the guest has no route to ${facts.address}: ${found.unrouted ?? ''}`,
          next: typed(found.path, sh`ip route show`),
        },
      }),
    ];
  const findings = [cache(facts, found, found.route.device), answer(facts, found)];
  return findings.filter((one) => one !== undefined);
}

/** The guest itself has the address, so its MAC is the right one. */
function owner(facts: Facts, { mac, device }: { mac: string; device: string }): Finding {
  const { expected, address } = facts;
  const text = `${address} is its own, on ${device} with ${mac}`;
  if (expected === undefined || expected.mac === mac) return finding('guest', 'ok', text);
  return finding('guest', 'bad', text, {
    cause: {
      name: 'wrong_mac',
      says: `wrong MAC: the record of ${address} says ${expected.mac}, the guest has ${mac}`,
      next: setRecord(facts, mac),
    },
  });
}

/** The guest's own neighbour entry, which stays when entries on the host change. */
function cache(facts: Facts, { route, neighbour, path }: GuestFacts, device: string): Finding | undefined {
  if (neighbour === undefined) return undefined;
  const text = `its own entry: ${neighbour.ip} ${neighbour.lladdr ?? 'no MAC'} ${neighbour.state}`;
  const direct = route?.gateway === undefined && facts.device.bridge !== undefined;
  if (!direct || neighbour.lladdr === undefined || facts.mac === undefined || neighbour.lladdr === facts.mac)
    return finding('guest', 'note', text);
  return finding('guest', 'bad', text, {
    cause: {
      name: 'guest_neighbour',
      says: `the guest takes ${neighbour.ip} for ${neighbour.lladdr}, the host for ${facts.mac}`,
      next: typed(path, sh`ip neigh del ${neighbour.ip} dev ${device}`),
    },
  });
}

function answer(facts: Facts, { path, route, mtu, small, full }: GuestFacts): Finding {
  const { address } = facts;
  if (small?.outcome === 'answered') {
    if (full?.outcome === 'answered')
      return finding(
        'guest',
        'ok',
        `${address} answers: ${small.rtt} ms, ${full.rtt} ms at ${mtu ?? '?'} bytes`,
      );
    const told = full?.outcome === 'too_big' && full.mtu !== undefined ? `, ${full.mtu} at most` : '';
    const fitting = full?.outcome === 'too_big' && full.mtu !== undefined ? full.mtu : facts.device.link.mtu;
    const lowered = fitting < (mtu ?? 0) ? fitting : blank('SMALLER');
    return finding('guest', 'bad', `${address} answers, but not at ${mtu ?? '?'} bytes${told}`, {
      cause: {
        name: 'mtu',
        says: `the guest’s MTU (${mtu ?? '?'}) is too large: packets of that size get no answer`,
        next: typed(path, sh`ip link set ${deviceWord(route?.device ?? 'eth0')} mtu ${lowered}`),
      },
    });
  }
  if (small === undefined || small.outcome === 'not_tried')
    return finding('guest', 'unknown', `not pinged: ${small?.said ?? 'unknown'}`);
  const said = small.outcome === 'unreachable' ? `: ${small.said}` : '';
  const heard = small.outcome === 'silent' ? heardThroughTunnel(facts) : undefined;
  if (heard !== undefined && facts.underlay?.small?.outcome === 'answered')
    return finding(
      'guest',
      'warn',
      `${address} does not answer ping, and a frame of it came through the tunnel`,
      {
        age: heard / 1000,
        cause: {
          ...unanswered(facts),
          says: `${address} does not answer ping, but sends frames: it filters ping, or its replies take another path`,
        },
      },
    );
  return finding('guest', 'bad', `${address} does not answer ping${said}`, { cause: unanswered(facts) });
}

/** The kernel agrees with the record, and no guest answers. Only the other host can tell which part is wrong. */
function unanswered(facts: Facts): Cause {
  const { expected, address, mac, underlay } = facts;
  const vtep = underlay?.vtep ?? expected?.vtep;
  if (mac === undefined || vtep === undefined)
    return {
      name: 'no_answer',
      says: `${address} does not answer`,
      next: explainAgain(facts),
    };
  return {
    name: 'no_answer',
    says: `the record says ${mac} behind ${vtep}, and no guest answers there: wrong MAC or VTEP, or the guest is down`,
    next: explainThere(facts, vtep),
  };
}
