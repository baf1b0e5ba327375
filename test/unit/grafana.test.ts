import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { dashboardText } from '../../grafana/dashboard.ts';
import { PICTURED, ROWS } from '../../grafana/rows.ts';
import { Metrics } from '../../src/observe/metrics/metrics.ts';
import { publishPublishing } from '../../src/observe/metrics/publishing.ts';
import { openRegistry } from '../../src/observe/metrics/registry.ts';
import { daemonOnFakes } from './fake/daemon.ts';

const file = (name: string): string =>
  readFileSync(new URL(`../../grafana/${name}`, import.meta.url), 'utf8');

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; description: string; action: string; runbook: string };
}
const { groups } = parse(file('alerts.yaml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

test('the dashboard that is committed is the one that is built: npm run grafana', () => {
  expect(file('dashboard.json')).toBe(dashboardText());
});

test('the picture has every panel but those of joined networks, and is small', () => {
  const picture = file('dashboard.svg');
  expect(picture.length).toBeLessThan(150_000);
  expect(ROWS.filter((row) => !PICTURED.includes(row)).map(({ title }) => title)).toEqual([
    'Networks and guests',
  ]);
  for (const { title } of PICTURED.flatMap(({ panels }) => panels))
    expect(picture).toContain(`>${title}</text>`);
});

test('every metric of a panel or an alert is published', () => {
  const published = openRegistry(daemonOnFakes()).names;
  const asked = [...ROWS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries)), ...rules]
    .flatMap(({ expr }) => [...expr.matchAll(/\b(?:missd|process|nodejs)_[a-z_]+/g)])
    .map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
  expect(asked.length).toBeGreaterThan(40);
  expect(asked.filter((name) => !published.includes(name))).toEqual([]);
});

test('every metric of joined networks and publishing is in a panel', () => {
  const publishing = new Metrics();
  publishPublishing(publishing, daemonOnFakes());
  const ofNetworks = openRegistry(daemonOnFakes()).names.filter((name) =>
    /_(network|join|feed_mes)/.test(name),
  );
  const shown = ROWS.flatMap(({ panels }) => panels.flatMap(({ queries }) => queries))
    .map(({ expr }) => expr)
    .join(' ');
  expect(ofNetworks).toEqual(
    expect.arrayContaining(['missd_network_joined', 'missd_join_failures_total', 'missd_join_repairs_total']),
  );
  expect([...publishing.names, ...ofNetworks].filter((name) => !shown.includes(`${name}{`))).toEqual([]);
});

const runbook = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

test('every alert has a summary, a severity, a remedy and test cases', () => {
  const cases = (parse(file('alerts.test.yaml')) as { tests: { name: string }[] }).tests;
  expect(cases.map(({ name }) => name)).toEqual(rules.map(({ alert }) => alert));
  for (const { alert, labels, annotations } of rules) {
    expect(annotations.runbook).toBe(`docs/metrics.md#${alert.toLowerCase()}`);
    expect(runbook).toContain(`\n### ${alert}\n`);
    for (const text of [annotations.summary, annotations.description, annotations.action])
      expect(text.length, alert).toBeGreaterThan(10);
    expect(['critical', 'warning']).toContain(labels.severity);
  }
});
