/** What is under `deploy/` is held against the code, since nothing else here reads it: options, addresses, files. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type RunOptions, declare, resolve } from '../../src/config/options.ts';
import { VERSION } from '../../src/base/version.ts';

const root = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** What the real command line makes of these words. @throws for what it does not know */
function understood(words: readonly string[]): RunOptions {
  const command = declare(new Command().exitOverride().configureOutput({ writeErr: () => undefined }), 'run');
  command.parse([...words], { from: 'user' });
  return resolve(command, 'run');
}

/** The lines of a Dockerfile, with continuations joined, as instruction and rest. */
const dockerfile = read('deploy/Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => /^\s*(\w+)\s+(.*)$/.exec(line)?.slice(1) ?? ['', line])
  .map(([instruction = '', rest = '']) => ({ instruction, rest }));
const all = (instruction: string): string[] =>
  dockerfile.filter((line) => line.instruction === instruction).map(({ rest }) => rest);
const json = (text: string): string[] => z.array(z.string()).parse(JSON.parse(text));

describe('the Dockerfile', () => {
  it('copies files that exist in the checkout or in the build', () => {
    const copies = all('COPY').map((rest) => rest.split(/\s+/));
    const built = copies.filter(([from = '']) => from.startsWith('--from='));
    for (const source of copies.filter((copy) => !built.includes(copy)).flatMap((copy) => copy.slice(0, -1)))
      expect(existsSync(new URL(source, root)), source).toBe(true);
    const made = ['dist', 'node_modules', 'addon/build/Release/missd.node'];
    for (const [from, source = ''] of built) {
      expect(from).toBe('--from=build');
      const path = source.replace('/src/', '');
      expect(made.includes(path) || existsSync(new URL(path, root)), path).toBe(true);
    }
  });

  it('does not copy files that were built outside', () => {
    const ignored = read('.dockerignore').split('\n');
    for (const path of ['node_modules', 'dist', 'addon/build', 'addon/prebuilds'])
      expect(ignored).toContain(path);
    const sources = all('COPY').filter((rest) => !rest.startsWith('--from'));
    for (const rest of sources)
      expect(ignored.filter((path) => rest.split(/\s+/).includes(path))).toEqual([]);
  });

  it('starts a command that exists, and asks it on its default address', () => {
    expect(json(all('ENTRYPOINT').join())).toEqual(['node', '/opt/missd/dist/main.js']);
    const [command, ...words] = json(all('CMD').at(-1) ?? '');
    expect(command).toBe('run');
    const { wait, listen } = understood(words);
    expect(wait).toBe(true);
    expect(all('HEALTHCHECK').join()).toContain(`'${listen.host}:${listen.port}'`);
  });

  it('has commands in its comments that the command line accepts', () => {
    const [words = ''] =
      /missd run (--\S.*)$/m.exec(read('deploy/Dockerfile').replaceAll('\\\n#', ''))?.slice(1) ?? [];
    expect(understood(words.split(/\s+/)).redis).toBe('redis://10.0.0.5:6379');
  });
});

const Names = z.object({ name: z.string(), namespace: z.literal('kube-system') });
const Probe = z.object({ httpGet: z.object({ path: z.string(), port: z.number() }) });
const Container = z.object({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(
    z.object({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() }),
  ),
  ports: z.never().optional(),
  securityContext: z.object({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.object({ drop: z.array(z.string()), add: z.array(z.string()) }),
  }),
  startupProbe: Probe,
  livenessProbe: Probe,
  readinessProbe: Probe,
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
});
const DaemonSet = z.object({
  metadata: Names,
  spec: z.object({
    selector: z.object({ matchLabels: z.record(z.string(), z.string()) }),
    updateStrategy: z.object({
      rollingUpdate: z.object({ maxSurge: z.number(), maxUnavailable: z.number() }),
    }),
    template: z.object({
      metadata: z.object({
        labels: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.string()),
      }),
      spec: z.object({
        hostNetwork: z.literal(true),
        serviceAccountName: z.string(),
        automountServiceAccountToken: z.literal(false),
        terminationGracePeriodSeconds: z.number(),
        containers: z.tuple([Container]),
        volumes: z.array(z.object({ name: z.string() }).loose()),
      }),
    }),
  }),
});

describe('the Kubernetes manifest', () => {
  const documents = parseAllDocuments(read('deploy/kubernetes.yaml'));
  const objects = documents.map((document) => z.object({ kind: z.string() }).loose().parse(document.toJS()));
  const of = (kind: string): unknown => objects.find((object) => object.kind === kind);
  const set = DaemonSet.parse(of('DaemonSet'));
  const { template } = set.spec;
  const [container] = template.spec.containers;

  it('is valid YAML with objects that refer to each other', () => {
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    expect(objects.map(({ kind }) => kind)).toEqual(['ServiceAccount', 'ConfigMap', 'DaemonSet']);
    expect(template.metadata.labels).toMatchObject(set.spec.selector.matchLabels);
    const account = z.object({ metadata: Names }).parse(of('ServiceAccount'));
    expect(template.spec.serviceAccountName).toBe(account.metadata.name);
    expect(container.volumeMounts.map(({ name }) => name)).toEqual(
      template.spec.volumes.map(({ name }) => name),
    );
    expect(container.image).toBe(`missd:${VERSION}`);
  });

  it('has options that the command line and the configuration file accept', () => {
    const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(of('ConfigMap'));
    const directory = mkdtempSync(join(tmpdir(), 'missd-deploy-'));
    try {
      const [command, ...words] = container.args;
      expect(command).toBe('run');
      const mounted = container.volumeMounts.find(({ name }) => name === 'config')?.mountPath ?? '';
      for (const [name, text] of Object.entries(data)) {
        writeFileSync(join(directory, name), text);
        // What is commented out shall be right as well.
        writeFileSync(join(directory, `more-${name}`), text.replace(/^# (?=[a-z-]+: )/gm, ''));
        for (const prefix of ['', 'more-']) {
          const file = join(directory, prefix + name);
          const options = understood(words.map((word) => word.replace(`${mounted}/${name}`, file)));
          expect(options.wait).toBe(true);
          expect(options.redis).toContain('redis://');
        }
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
    const variables = declare(new Command(), 'run').options.map(({ envVar }) => envVar);
    for (const { name } of container.env.filter(({ name }) => name.startsWith('MISSD_')))
      expect(variables).toContain(name);
  });

  it('probes the address and the paths that the daemon serves', () => {
    const listen = container.env
      .find(({ name }) => name === 'MISSD_LISTEN')
      ?.value?.replace('$(NODE_IP)', '10.0.0.1');
    const { port } = understood(['--listen', listen ?? '']).listen;
    const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    expect(probes.map(({ httpGet }) => httpGet.port)).toEqual([port, port, port]);
    const server = read('src/observe/http/server.ts');
    const { annotations } = template.metadata;
    for (const path of [
      ...probes.map(({ httpGet }) => httpGet.path),
      annotations['prometheus.io/path'] ?? '',
    ])
      expect(server).toContain(`case '${path}':`);
    expect(annotations['prometheus.io/port']).toBe(String(port));
  });

  it('gives the daemon the two capabilities of its unit, and lets a successor wait', () => {
    expect(container.securityContext.capabilities).toEqual({ drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] });
    expect(set.spec.updateStrategy.rollingUpdate).toEqual({ maxSurge: 1, maxUnavailable: 0 });
  });
});
