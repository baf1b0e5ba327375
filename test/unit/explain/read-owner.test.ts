import { expect, test } from 'vitest';
import type { Network } from '../../../src/directory/network.ts';
import { renderNetwork } from '../../../src/directory/network-schema.ts';
import { RedisKeys } from '../../../src/directory/redis/keys.ts';
import type { RedisWriter } from '../../../src/directory/redis/writer.ts';
import { readOwner } from '../../../src/explain/read-owner.ts';
import { VNI, ip, mac, vtep } from '../fake/world.ts';

const MAC = mac(2);
const NOW = 1_000_000_000;
const network: Network = {
  ...{ name: 'blue', vni: VNI, mode: 'bridged', subnet: '20.0.0.0/24', leaseLength: 24, port: 4789 },
  ...{ mtu: 'auto', publish: 'learned', lease: 30, portsLimit: 64, anycast: [] },
};
const companion = {
  ...{ host: 'b', incarnation: '0123456789ab', epoch: '3', vtep: vtep(2), kind: 'learned', mac: '1' },
  ...{ moves: '2', since: String(NOW - 60_000), first: 'a', frozen: '0', [`ip:${ip(2)}`]: '1' },
};
const noperm = (): never => {
  throw new Error('NOPERM this user has no permissions to run the command');
};

interface Server {
  network?: () => string;
  companion?: () => Record<string, string>;
  lease?: () => number | undefined;
  now?: () => number;
}
/** @returns what is read, and which commands were sent */
async function read(server: Server) {
  const sent: string[] = [];
  const answer = <T>(command: string, make: () => T): Promise<T> => {
    sent.push(command);
    return new Promise((resolve) => {
      resolve(make());
    });
  };
  const redis = {
    keys: new RedisKeys('missd'),
    client: {
      getrange: () => answer('GETRANGE', server.network ?? (() => renderNetwork(network))),
      hgetall: () => answer('HGETALL', server.companion ?? (() => companion)),
    },
    ttls: () => answer('PTTL', () => [(server.lease ?? (() => 12))()]),
    now: () => answer('TIME', server.now ?? (() => NOW)),
  };
  return { owner: await readOwner(redis as unknown as RedisWriter, VNI, MAC), sent };
}

test('the companion of a MAC, and the lease of its host', async () => {
  const { owner } = await read({});
  expect(owner).toEqual({
    network: 'blue',
    mac: MAC,
    companion: {
      ...{ host: 'b', incarnation: '0123456789ab', epoch: 3, vtep: vtep(2), kind: 'learned' },
      ...{ moves: 2, first: 'a', frozen: 0, lease: 12, ips: [ip(2)] },
    },
  });
});

test('nothing but the network is read where there is none, or where nobody publishes', async () => {
  for (const value of [
    '',
    'no JSON',
    renderNetwork({ ...network, publish: 'none' }),
    renderNetwork({ ...network, mode: 'routed', subnet: '20.0.0.0/16' }),
  ])
    expect(await read({ network: () => value })).toEqual({ owner: undefined, sent: ['GETRANGE'] });
  expect(await read({ network: noperm })).toEqual({ owner: undefined, sent: ['GETRANGE'] });
});

test('moves count for 180 s, and a frozen MAC for what is left by the server’s clock', async () => {
  const moved = async (rest: Record<string, string>) =>
    (await read({ companion: () => ({ ...companion, ...rest }) })).owner?.companion;
  expect(await moved({ since: String(NOW - 181_000) })).toMatchObject({ moves: 0, frozen: 0 });
  expect(await moved({ frozen: String(NOW + 90_000) })).toMatchObject({ moves: 2, frozen: 90 });
  expect(await moved({ frozen: String(NOW - 1) })).toMatchObject({ frozen: 0 });
});

test('an ended lease is absent; without a companion nobody is the owner', async () => {
  expect((await read({ lease: () => undefined })).owner?.companion).not.toHaveProperty('lease');
  expect((await read({ companion: () => ({}) })).owner).toEqual({ network: 'blue', mac: MAC });
});

test('what is not permitted is said, and no error', async () => {
  expect((await read({ companion: noperm })).owner).toEqual({ network: 'blue', mac: MAC, refused: true });
  expect((await read({ lease: noperm })).owner).toEqual({ network: 'blue', mac: MAC, refused: true });
  const since = String(Date.now() - 1000);
  const blind = await read({ companion: () => ({ ...companion, since }), now: noperm });
  expect(blind.owner?.companion).toMatchObject({ moves: 2 });
});
