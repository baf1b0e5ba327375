/** What the documentation says of metrics is compared with the code. Options, links and the design: see docs/. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CONFLICTS } from '../../src/base/outcomes.ts';
import { openRegistry } from '../../src/observe/metrics/registry.ts';
import { daemonOnFakes } from './fake/daemon.ts';

const page = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const unique = (matches: Iterable<RegExpMatchArray>): string[] => [
  ...new Set([...matches].map(([, one = '']) => one)),
];

test('the README is short', () => {
  expect(page('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(120);
});

describe('metrics', () => {
  const published = openRegistry(daemonOnFakes()).names.filter((name) => name.startsWith('missd_'));
  const named = (text: string): string[] => unique(text.matchAll(/`(missd_[a-z_]+)/g));

  test('the table has every metric of missd, and no other', () => {
    const table = page('docs/metrics.md')
      .split('\n')
      .filter((line) => line.startsWith('| `missd_'));
    expect(named(table.join('\n')).sort()).toEqual([...published].sort());
  });

  test('every kind of conflict is explained, and no other', () => {
    const section = page('docs/metrics.md').split('### MissdConflict')[1]?.split('\n### ')[0] ?? '';
    const explained = section
      .split('\n')
      .flatMap((line) => unique((/^\| `.*?\|/.exec(line)?.[0] ?? '').matchAll(/`(\w+)`/g)));
    expect(explained.sort()).toEqual([...CONFLICTS].sort());
  });

  test('every metric in the text is published', () => {
    const docs = readdirSync(new URL('../../docs/', import.meta.url)).filter((name) => name.endsWith('.md'));
    for (const path of ['README.md', 'CHANGELOG.md', ...docs.map((name) => `docs/${name}`)])
      expect(
        named(page(path)).filter((name) => !published.includes(name)),
        path,
      ).toEqual([]);
  });
});
