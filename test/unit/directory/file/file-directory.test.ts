import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DirectoryChange, DirectoryState, RecordKey } from '../../../../src/directory/directory.ts';
import { FileDirectory, type ReadFile } from '../../../../src/directory/file/file-directory.ts';
import { readDirectoryFile } from '../../../../src/directory/file/records.ts';

let dir: string;
let file: string;
let directory: FileDirectory;
let changes: DirectoryChange[];
let states: DirectoryState[];
let rejected: string[];

const endpoint = (host: number, vtep = '10.99.0.2'): string =>
  `      - { ip: 20.0.0.${host}, mac: "02:42:14:00:00:${host.toString(16).padStart(2, '0')}", vtep: ${vtep} }\n`;
const text = (...endpoints: string[]): string => `vnis:\n  100:\n    endpoints:\n${endpoints.join('')}`;
const IP: RecordKey = { vni: 100, kind: 'ip', address: '20.0.0.2' };
const MAC: RecordKey = { vni: 100, kind: 'mac', address: '02:42:14:00:00:02' };
const rethrow = (error: unknown): never => {
  throw error;
};

/** As configuration tools write: whole, under another name first. */
function replace(content: string): void {
  writeFileSync(`${file}.new`, content);
  renameSync(`${file}.new`, file);
}

/** The thread's work, done here: it is built only for dist/. */
const read: ReadFile = async (path) => {
  await Promise.resolve();
  return readDirectoryFile(path);
};

async function open(path: string, reading = read): Promise<void> {
  directory = new FileDirectory({
    file: path,
    read: reading,
    onRejected: (reason) => rejected.push(reason),
  });
  directory.changes$.subscribe({ next: (change) => changes.push(change), error: rethrow });
  directory.state$.subscribe({ next: (state) => states.push(state), error: rethrow });
  void directory.follow(new Set([100]));
  directory.start();
  await vi.waitFor(() => {
    expect(changes.length + rejected.length).toBeGreaterThan(0);
  });
}

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'missd-file-'));
  file = join(dir, 'directory.yaml');
  changes = [];
  states = [];
  rejected = [];
});
afterEach(async () => {
  await directory.close();
  rmSync(dir, { recursive: true });
});

describe('a file directory', () => {
  it('serves ip: and mac: records at once after the start', async () => {
    writeFileSync(file, text(endpoint(2)));
    await open(file);
    expect(states.at(-1)).toEqual({ up: true });
    expect(changes).toEqual([{ type: 'gap' }]);
    expect(await directory.read([MAC, { ...IP, vni: 101 }, IP])).toEqual([
      '10.99.0.2',
      null,
      '02:42:14:00:00:02 10.99.0.2',
    ]);
  });

  it('that was read before answers at the start', async () => {
    writeFileSync(file, text(endpoint(2)));
    directory = new FileDirectory({ file, read });
    directory.changes$.subscribe({ next: (change) => changes.push(change), error: rethrow });
    await directory.readFirst();
    expect(changes).toEqual([]);
    directory.start();
    expect(changes).toEqual([{ type: 'gap' }]);
    expect(await directory.read([MAC])).toEqual(['10.99.0.2']);
  });

  it('that changes during a read is read again afterwards, never twice at a time', async () => {
    writeFileSync(file, text(endpoint(2)));
    let underWay = 0;
    let most = 0;
    let held: () => void = () => undefined;
    const holding = new Promise<void>((resolve) => (held = resolve));
    await open(file, async (path, stopped) => {
      most = Math.max(most, ++underWay);
      const contents = await read(path, stopped);
      if (contents.get(100)?.values.has('ip:20.0.0.3') === true) await holding;
      underWay--;
      return contents;
    });
    replace(text(endpoint(3)));
    await vi.waitFor(() => {
      expect(underWay).toBe(1);
    });
    replace(text(endpoint(4)));
    held();
    await vi.waitFor(async () => {
      expect(await directory.read([{ ...IP, address: '20.0.0.4' }, IP])).toEqual([
        '02:42:14:00:00:04 10.99.0.2',
        null,
      ]);
    }, 3000);
    expect(most).toBe(1);
  });

  it('is read again after a read that failed', async () => {
    writeFileSync(file, text(endpoint(2)));
    let tries = 0;
    await open(file, (path, stopped) =>
      ++tries < 3 ? Promise.reject(new Error('EAGAIN')) : read(path, stopped),
    );
    await vi.waitFor(() => {
      expect(states.at(-1)).toEqual({ up: true });
    }, 5000);
    expect(rejected).toEqual(['EAGAIN']);
  });

  it('reports the changed records when the file is replaced', async () => {
    writeFileSync(file, text(endpoint(2), endpoint(3)));
    await open(file);
    replace(text(endpoint(2, '10.99.0.9'), endpoint(3)));
    await vi.waitFor(() => {
      expect(changes).toHaveLength(2);
    });
    expect(changes[1]).toEqual({ type: 'records', keys: [IP, MAC] });
    expect(await directory.read([MAC])).toEqual(['10.99.0.9']);
  });

  it('keeps the last valid contents, and reports the error', async () => {
    writeFileSync(file, text(endpoint(2)));
    await open(file);
    replace('vnis:\n  100:\n');
    await vi.waitFor(() => {
      expect(rejected).toEqual([
        `${file}:2: vnis.100 has no value, as in a file that is still being written`,
      ]);
    });
    rejected.length = 0;
    replace('vnis:\n  100:\n    endpoint: []\n');
    await vi.waitFor(() => {
      expect(rejected).toEqual([`${file}:3: unknown key "endpoint" in vnis.100`]);
    });
    rmSync(file);
    await vi.waitFor(() => {
      expect(rejected[1]).toBe(`${file}: no such file`);
    });
    expect(await directory.read([MAC])).toEqual(['10.99.0.2']);
    expect(states.at(-1)).toEqual({ up: true });
    replace('vnis: { 100: { endpoints: [] } }');
    await vi.waitFor(() => {
      expect(changes.at(-1)).toEqual({ type: 'records', keys: [IP, MAC] });
    });
    expect(await directory.read([IP])).toEqual([null]);
  });

  it('that is invalid at first comes up when it is valid', async () => {
    await open(file);
    expect(states.at(-1)).toMatchObject({ up: false, reason: `${file}: no such file` });
    await expect(directory.read([IP])).rejects.toThrow('no such file');
    replace(text(endpoint(2)));
    await vi.waitFor(() => {
      expect(states.at(-1)).toEqual({ up: true });
    });
    expect(changes.at(-1)).toEqual({ type: 'gap' });
  });

  it('that loses most of its records at once causes a full resync', async () => {
    writeFileSync(file, text(...Array.from({ length: 20 }, (_, index) => endpoint(index + 1))));
    await open(file);
    replace(text(endpoint(2)));
    await vi.waitFor(() => {
      expect(changes).toEqual([{ type: 'gap' }, { type: 'gap' }]);
    });
  });

  it('is found changed by polling if inotify does not report it', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'missd-file-'));
    const target = join(elsewhere, 'target.yaml');
    writeFileSync(target, text(endpoint(2)));
    symlinkSync(target, file);
    await open(file);
    writeFileSync(target, text(endpoint(2, '10.99.0.9')));
    await vi.waitFor(async () => {
      expect(await directory.read([MAC])).toEqual(['10.99.0.9']);
    }, 3000);
    rmSync(elsewhere, { recursive: true });
  });

  it('reports leases of followed VNIs', async () => {
    const lease = (vtep: string) =>
      `vnis:\n  100:\n    subnets:\n      - { cidr: 10.20.2.0/24, mac: "02:f0:00:00:00:02", vtep: ${vtep} }\n`;
    writeFileSync(file, lease('10.99.0.2'));
    await open(file);
    expect(changes).toEqual([{ type: 'leases', vni: 100 }, { type: 'gap' }]);
    expect(directory.leases(100).covering('10.20.2.7')?.value).toBe('02:f0:00:00:00:02 10.99.0.2');
    replace(lease('10.99.0.3'));
    await vi.waitFor(() => {
      expect(changes.slice(2)).toEqual([{ type: 'leases', vni: 100 }]);
    });
    expect(directory.leases(100).withMac('02:f0:00:00:00:02')?.value).toBe('02:f0:00:00:00:02 10.99.0.3');
    await directory.follow(new Set());
    expect(directory.leases(100).all()).toEqual([]);
  });
});

describe('networks of a file', () => {
  const NETWORKS = `networks:
  blue: { vni: 100, mode: bridged, subnet: 20.0.0.0/16, publish: none }
  red: { vni: 101, mode: bridged, subnet: 20.0.0.0/16 }
  green:
    vni: 200
    mode: routed
    subnet: 10.20.0.0/16
    publish: none
    reserved: [{ cidr: 10.20.2.0/24, for: host-b }]
`;
  const host = (id: string) => ({ id, incarnation: '', vtep: '10.99.0.1' });

  it('are those whose guests do not publish themselves', async () => {
    writeFileSync(file, NETWORKS);
    await open(file);
    expect(await directory.network('blue')).toMatchObject({ vni: 100, publish: 'none' });
    expect(await directory.network('yellow')).toBeUndefined();
    await expect(directory.network('red')).rejects.toMatchObject({
      name: 'UsageError',
      message: `${file}: network red has "publish: learned"; with a directory file only "publish: none" is possible`,
    });
  });

  it('give a host the prefix that is reserved for it, and no other', async () => {
    writeFileSync(file, NETWORKS);
    await open(file);
    const green = await directory.network('green');
    if (green === undefined) throw new Error('no network green');
    expect(await directory.prefixes.acquire(green, host('host-b'))).toBe('10.20.2.0/24');
    await expect(directory.prefixes.acquire(green, host('host-c'))).rejects.toThrow(
      `${file}: network green reserves no prefix for host host-c`,
    );
  });
});
