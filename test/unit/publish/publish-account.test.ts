import { expect, test } from 'vitest';
import type { LocalGuest } from '../../../src/publish/guest-table.ts';
import { type AccountSource, publishAccount } from '../../../src/publish/publish-account.ts';
import { IP, IP6, MAC, OTHER } from './publishing.ts';

const NOW = 10_000;
const guest = (mac: string, ...ips: string[]): LocalGuest => ({
  ...{ mac, port: 7, seenAt: NOW - 1_000 },
  ips: new Map(ips.map((ip) => [ip, NOW - 2_000])),
  learnedFrom: new Map([[undefined, 'FDB'] as const, ...ips.map((ip) => [ip, 'ARP'] as const)]),
});
const claim = { mac: OTHER, ip: IP, owner: MAC, host: 'b' };
const source = (rest: Partial<AccountSource> = {}): AccountSource => ({
  network: { name: 'blue' },
  lease: { id: 'a', remaining: 20_000, loss: undefined },
  guests: { known: () => [guest(MAC, IP, IP6), guest(OTHER, IP)] },
  publisher: {
    published: { get: (mac) => new Map(mac === MAC ? [[IP, 'ok' as const]] : []) },
    claims: {
      open: () => [{ ...claim, refused: true, sentAt: 0 }],
      refused: () => [{ ...claim, host: 'c', at: NOW - 500 }],
    },
    frozen: new Map([[OTHER, 'b']]),
  },
  portName: (port) => `g${port}`,
  ...rest,
});

test('of an IP: the guests that have it, with that address alone, and the claims to it', () => {
  const heard = { ip: IP, ago: 2, learnedFrom: 'ARP' };
  const seen = { port: 'g7', ago: 1, learnedFrom: 'FDB' };
  expect(publishAccount(source(), IP, NOW)).toEqual({
    ...{ network: 'blue', host: 'a', lease: 20 },
    guests: [
      { ...seen, mac: MAC, ips: [{ ...heard, state: 'ok' }] },
      { ...seen, mac: OTHER, frozen: 'b', ips: [{ ...heard, state: 'unknown' }] },
    ],
    claims: [{ ...claim, refused: true }],
    refused: [{ ...claim, host: 'c', ago: 0.5 }],
  });
});

test('of a MAC: all its addresses, and the claims of it and against it', () => {
  const account = publishAccount(source(), MAC, NOW);
  expect(account.guests.map(({ mac, ips }) => [mac, ips.map(({ ip }) => ip)])).toEqual([[MAC, [IP, IP6]]]);
  expect(account.claims).toHaveLength(1);
  expect(publishAccount(source(), '02:00:00:00:00:77', NOW)).toMatchObject({
    guests: [],
    claims: [],
    refused: [],
  });
});

test('of a host without a lease and without a device: why, and nothing else', () => {
  const lost = { id: 'a', remaining: 0, loss: 'displaced' } as const;
  expect(publishAccount(source({ lease: lost, guests: undefined, publisher: undefined }), IP, NOW)).toEqual({
    ...{ network: 'blue', host: 'a', lease: 0, loss: 'displaced', guests: [], claims: [], refused: [] },
  });
});
