import { expect, test } from 'vitest';
import { parseNeighbours } from '../../../src/inspect/neighbours.ts';
import { parsePing } from '../../../src/inspect/ping.ts';

const SENT = '2 packets transmitted, 0 received';

test.each([
  [
    'an answer',
    '64 bytes from 10.0.0.1: icmp_seq=1 ttl=64 time=0.042 ms',
    '',
    { outcome: 'answered', rtt: 0.042 },
  ],
  ['none', `${SENT}, 100% packet loss`, '', { outcome: 'silent' }],
  [
    'too big to leave',
    SENT,
    'ping: local error: message too long, mtu=1400',
    { outcome: 'too_big', mtu: 1400 },
  ],
  [
    'too big on the way',
    `From 10.0.0.9 icmp_seq=1 Frag needed and DF set (mtu = 1300)\n${SENT}`,
    '',
    { outcome: 'too_big', mtu: 1300 },
  ],
  [
    'too big on the way, IPv6',
    `From fd99::9 icmp_seq=1 Packet too big: mtu=1280\n${SENT}`,
    '',
    { outcome: 'too_big', mtu: 1280 },
  ],
  [
    'host unreachable',
    `From 10.0.0.9 icmp_seq=1 Destination Host Unreachable\n${SENT}`,
    '',
    { outcome: 'unreachable', said: 'Destination Host Unreachable' },
  ],
  [
    'network unreachable',
    '',
    'ping: connect: Network is unreachable',
    { outcome: 'unreachable', said: 'Network is unreachable' },
  ],
  [
    'not permitted',
    '',
    'ping: socket: Operation not permitted',
    { outcome: 'not_tried', said: 'socket: Operation not permitted' },
  ],
])('ping: %s', (_, stdout, stderr, expected) => {
  expect(parsePing(stdout, stderr)).toEqual(expected);
});

test('neighbours, with their ages if the kernel tells', () => {
  const text =
    '[{"dst":"10.99.0.7","dev":"eth0","used":1,"confirmed":61,"updated":2,"probes":4,"state":["FAILED"]}]';
  expect(parseNeighbours(text)).toEqual([
    { device: 'eth0', ip: '10.99.0.7', state: 'FAILED', usedAgo: 1, confirmedAgo: 61, updatedAgo: 2 },
  ]);
  expect(parseNeighbours('')).toEqual([]);
});
