import { describe, expect, it, test } from 'vitest';
import { explain } from '../../../src/explain/explain.ts';
import type { CompanionFacts, Facts } from '../../../src/explain/facts.ts';
import type { CauseName, Finding } from '../../../src/explain/finding.ts';
import type { PublishAccount } from '../../../src/publish/publish-account.ts';
import { mac, vtep } from '../fake/world.ts';
import { ADDRESS, MAC, THERE, account, macRecord, spoiled } from './facts.ts';

const RIVAL = mac(9);

const companion = (rest: Partial<CompanionFacts> = {}): CompanionFacts => ({
  ...{ host: 'b', incarnation: '0123456789ab', vtep: THERE, kind: 'learned', epoch: 3 },
  ...{ moves: 0, first: 'b', frozen: 0, lease: 23.4, ips: [ADDRESS] },
  ...rest,
});
const owned =
  (rest?: Partial<CompanionFacts>) =>
  (facts: Facts): void => {
    facts.directory.owner = { network: 'blue', mac: MAC, companion: companion(rest) };
  };
const publishing =
  (rest: Partial<PublishAccount>) =>
  (facts: Facts): void => {
    const known = { network: 'blue', host: 'a', lease: 20, guests: [], claims: [], refused: [], ...rest };
    facts.daemon.account = account({ publishing: known });
  };
const lines = (spoil: (facts: Facts) => void): Finding[] =>
  explain(spoiled(spoil)).findings.filter(({ stage }) => stage === 'owner');
const texts = (spoil: (facts: Facts) => void): string[] => lines(spoil).map(({ text }) => text);

describe('the owner of a record', () => {
  it('is not spoken of where no network publishes', () => {
    expect(lines(() => undefined)).toEqual([]);
    expect(explain(spoiled(() => undefined))).not.toHaveProperty('owner');
  });

  it('is the host that its companion names', () => {
    expect(lines(owned())).toEqual([
      {
        stage: 'owner',
        level: 'ok',
        text: 'host b, learned, epoch 3; its lease ends in 23.4 s unless renewed',
      },
    ]);
    expect(explain(spoiled(owned())).owner).toEqual({ network: 'blue', mac: MAC, companion: companion() });
    expect(texts(owned({ moves: 2 }))[0]).toContain('epoch 3, moved 2 times within 180 s;');
  });

  it('is nobody where the record was typed by hand', () => {
    const text = `typed by hand: no host of network blue has published ${ADDRESS}`;
    const byHand = (facts: Facts): void => {
      facts.directory.owner = { network: 'blue', mac: MAC };
    };
    expect(texts(byHand)).toEqual([text]);
    expect(texts(owned({ ips: [] }))).toEqual([text]);
    expect(texts(owned({ vtep: vtep(9) }))).toEqual([text]);
    expect(explain(spoiled(byHand)).verdict).not.toHaveProperty('cause');
  });

  it('of a MAC is that of its mac: record', () => {
    const asked = (behind: string) => (facts: Facts) => {
      owned({ ips: [] })(facts);
      delete facts.ip;
      facts.address = MAC;
      facts.directory.records = [macRecord(behind)];
    };
    expect(texts(asked(THERE))[0]).toMatch(/^host b, learned/);
    expect(texts(asked(vtep(9)))[0]).toMatch(/^typed by hand/);
  });

  it('may be forbidden to read, which is no fault', () => {
    const refused = (facts: Facts): void => {
      facts.directory.owner = { network: 'blue', mac: MAC, refused: true };
    };
    expect(lines(refused)).toMatchObject([
      { level: 'note', text: expect.stringMatching(/^not permitted/) as string },
    ]);
    expect(explain(spoiled(refused)).verdict).not.toHaveProperty('cause');
  });
});

describe('what this host knows of its guests', () => {
  const guest = { mac: MAC, port: 'g2', ago: 3, ips: [] };

  it('is where a guest is, and what it was learned from', () => {
    const ips = [{ ip: ADDRESS, ago: 3, learnedFrom: 'ARP', state: 'ok' } as const];
    expect(lines(publishing({ guests: [{ ...guest, ips }] }))).toEqual([
      {
        ...{ stage: 'owner', level: 'ok', age: 3 },
        text: `${MAC} on port g2 of this host has ${ADDRESS}, learned from ARP, published`,
      },
    ]);
    expect(texts(publishing({ guests: [{ ...guest, learnedFrom: 'FDB' }] }))).toEqual([
      `${MAC} is on port g2 of this host, without an address, learned from the bridge’s FDB`,
    ]);
  });

  it('is why it is not published', () => {
    const ips = [{ ip: ADDRESS, ago: 3, state: 'manual' } as const];
    const found = lines(publishing({ guests: [{ ...guest, ips }], loss: 'displaced' }));
    expect(found.map(({ level }) => level)).toEqual(['note', 'warn']);
    expect(found[0]?.text).toMatch(/, not published: the record was typed by hand$/);
    expect(found[1]?.text).toBe('host a, this one, publishes nothing: its lease is displaced');
  });
});

const claim = { ip: ADDRESS, owner: MAC, mac: RIVAL };
test.each<[what: string, cause: CauseName, says: string, next: RegExp, spoil: (facts: Facts) => void]>([
  [
    'an owner whose lease has ended',
    'owner_ended',
    `the lease of host b, which published ${ADDRESS}, has ended: the other hosts of blue will remove the record`,
    /^systemctl status missd {3}# on host b /,
    (facts) => {
      const gone = companion();
      delete gone.lease;
      facts.directory.owner = { network: 'blue', mac: MAC, companion: gone };
    },
  ],
  [
    'a MAC that is frozen after five moves',
    'owner_frozen',
    `${MAC} moved more than five times within 180 s: for 90 s more only host a may have it`,
    /# on host a$/,
    owned({ moves: 6, first: 'a', frozen: 90 }),
  ],
  [
    'a guest here that another host keeps',
    'owner_frozen',
    `${MAC} is on port g2 of this host, and stays published by host b: it moved more than five times within 180 s`,
    /# on host b$/,
    publishing({ guests: [{ mac: MAC, port: 'g2', ago: 3, ips: [], frozen: 'b' }] }),
  ],
  [
    'a claim of this host that was refused',
    'duplicate_address',
    `${ADDRESS} is the address of two guests: ${MAC} on host b keeps it, ${RIVAL} on host a is refused`,
    /# on host b$/,
    publishing({ claims: [{ ...claim, host: 'b', refused: true }] }),
  ],
  [
    'a claim that this host refused',
    'duplicate_address',
    `${ADDRESS} is the address of two guests: ${MAC} on host a keeps it, ${RIVAL} on host c is refused`,
    /# on host c$/,
    publishing({ refused: [{ ...claim, host: 'c', ago: 2 }] }),
  ],
])('%s is named in the verdict', (_, cause, says, next, spoil) => {
  const { verdict } = explain(spoiled(spoil));
  expect(verdict).toMatchObject({ works: true, cause });
  expect(verdict.says.endsWith(`; but ${says}`), verdict.says).toBe(true);
  expect(verdict.next).toMatch(next);
});

test('a claim without an answer yet, and one between two guests of this host, are told once and are no fault', () => {
  const open = publishing({
    claims: [{ ...claim, host: 'a', refused: false }],
    refused: [{ ...claim, host: 'a', ago: 1 }],
  });
  expect(lines(open).map(({ level }) => level)).toEqual(['note']);
});
