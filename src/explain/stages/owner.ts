/** Who published the record, and what this host knows of guests with the address, in a network whose guests publish themselves. */
import type { GuestAccount, PublishAccount } from '../../publish/publish-account.ts';
import { quoted, remarked, sh } from '../../screen/shell.ts';
import type { CompanionFacts, Facts } from '../facts.ts';
import { type Cause, type Finding, finding } from '../finding.ts';
import { explainThere } from '../view.ts';

/** Guests and claims on the screen. */
const MOST = 4;

export function owner(facts: Facts): Finding[] {
  const known = facts.daemon.account?.publishing;
  return [...published(facts), ...(known === undefined ? [] : here(facts, known))];
}

function published(facts: Facts): Finding[] {
  const { directory, ip, address } = facts;
  const of = directory.owner;
  const record = directory.records.find(({ kind }) => kind === (ip === undefined ? 'mac' : 'ip'));
  if (of === undefined || record === undefined) return [];
  const { network, mac, refused = false, companion } = of;
  if (refused)
    return [finding('owner', 'note', 'not permitted: the Redis user may not read owners and leases')];
  const says = ip === undefined ? companion?.vtep : `${mac} ${companion?.vtep ?? ''}`;
  if (companion === undefined || record.value !== says || (ip !== undefined && !companion.ips.includes(ip)))
    return [
      finding('owner', 'note', `typed by hand: no host of network ${network} has published ${address}`),
    ];
  const { host, kind, epoch, moves, lease } = companion;
  const moved = moves === 0 ? '' : `, moved ${moves === 1 ? 'once' : `${moves} times`} within 180 s`;
  const left =
    lease === undefined ? 'its lease has ended' : `its lease ends in ${lease.toFixed(1)} s unless renewed`;
  const text = `host ${host}, ${kind}, epoch ${epoch}${moved}; ${left}`;
  return [
    lease === undefined
      ? finding('owner', 'warn', text, { cause: ended(facts, network, companion) })
      : finding('owner', 'ok', text),
    ...frozen(facts, mac, companion),
  ];
}

const ended = ({ address }: Facts, network: string, { host, vtep }: CompanionFacts): Cause => ({
  name: 'owner_ended',
  says: `the lease of host ${host}, which published ${address}, has ended: the other hosts of ${network} will remove the record`,
  next: remarked(sh`systemctl status missd`, `on host ${quoted(host)} (${vtep})`),
});

function frozen(facts: Facts, mac: string, { first, frozen: left }: CompanionFacts): Finding[] {
  if (left === 0) return [];
  return [
    finding(
      'owner',
      'warn',
      `frozen after five moves: host ${first} keeps it for ${left.toFixed(0)} s more`,
      {
        cause: {
          name: 'owner_frozen',
          says: `${mac} moved more than five times within 180 s: for ${left.toFixed(0)} s more only host ${first} may have it`,
          next: explainThere(facts, `host ${quoted(first)}`),
        },
      },
    ),
  ];
}

/** From the daemon of this host. */
function here(facts: Facts, known: PublishAccount): Finding[] {
  const { host, loss, guests } = known;
  const findings = guests.slice(0, MOST).flatMap((guest) => learned(facts, guest));
  if (loss !== undefined && guests.length > 0)
    findings.push(
      finding('owner', 'warn', `host ${host}, this one, publishes nothing: its lease is ${loss}`),
    );
  return [...findings, ...claimed(facts, known).slice(0, MOST)];
}

function learned(
  facts: Facts,
  { mac, port, ago, learnedFrom, frozen: keeper, ips }: GuestAccount,
): Finding[] {
  const where = `on port ${port} of this host`;
  const from = (of?: string): string => (of === undefined ? '' : `, learned from ${SOURCES[of] ?? of}`);
  const findings = ips.slice(0, MOST).map(({ ip, ago: heard, learnedFrom: by, state }) =>
    finding(
      'owner',
      state === 'ok' ? 'ok' : 'note',
      `${mac} ${where} has ${ip}${from(by)}, ${STATES[state]}`,
      {
        age: heard,
      },
    ),
  );
  if (ips.length === 0)
    findings.push(
      finding('owner', 'note', `${mac} is ${where}, without an address${from(learnedFrom)}`, { age: ago }),
    );
  if (keeper === undefined) return findings;
  const says = `${mac} is ${where}, and stays published by host ${keeper}: it moved more than five times within 180 s`;
  const cause = { name: 'owner_frozen', says, next: explainThere(facts, `host ${quoted(keeper)}`) } as const;
  return [...findings, finding('owner', 'warn', `frozen: host ${keeper} keeps ${mac}`, { cause })];
}

const SOURCES: Record<string, string> = {
  FDB: 'the bridge’s FDB',
  'neighbour table': 'the bridge’s neighbour table',
};

const STATES: Record<GuestAccount['ips'][number]['state'], string> = {
  ok: 'published',
  manual: 'not published: the record was typed by hand',
  duplicate: 'not published: another MAC has it',
  ended: 'not published until a host whose lease has ended is reaped',
  unknown: 'not published yet',
};

/** Addresses with two MACs: claims of this host, and claims that it has refused. */
function claimed(facts: Facts, { host: self, claims, refused }: PublishAccount): Finding[] {
  const findings = claims.map(({ ip, mac, owner: rival, host, refused: answered }) =>
    answered
      ? finding(
          'owner',
          'warn',
          `${mac} here claims ${ip} of ${rival} on host ${host}: refused, that one answers`,
          {
            cause: duplicate(facts, ip, [rival, host], [mac, self]),
          },
        )
      : finding('owner', 'note', `${mac} here claims ${ip} of ${rival} on host ${host}: no answer yet`),
  );
  for (const { ip, mac, owner: keeper, host, ago } of refused)
    // Two guests of this host are among the claims already.
    if (host !== self)
      findings.push(
        finding(
          'owner',
          'warn',
          `${mac} on host ${host} claims ${ip}, too: refused, ${keeper} here answers`,
          {
            age: ago,
            cause: duplicate(facts, ip, [keeper, self], [mac, host]),
          },
        ),
      );
  return findings;
}

const duplicate = (
  facts: Facts,
  ip: string,
  [keeper, its]: readonly [string, string],
  [mac, host]: readonly [string, string],
): Cause => ({
  name: 'duplicate_address',
  says: `${ip} is the address of two guests: ${keeper} on host ${its} keeps it, ${mac} on host ${host} is refused`,
  next: explainThere(facts, `host ${quoted(facts.daemon.account?.publishing?.host === host ? its : host)}`),
});
