import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const root = new URL('../../../', import.meta.url);
const docs = readdirSync(new URL('docs/', root)).filter((name) => name.endsWith('.md'));
const PAGES = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', ...docs.map((name) => `docs/${name}`)];

test.each(PAGES)('links of %s lead to files and headings that exist', (name) => {
  const page = readFileSync(new URL(name, root), 'utf8');
  const links = [...page.matchAll(/\]\(([^)#\s]*)(#[^)\s]*)?\)/g)].filter(
    ([, to = '']) => !to.includes('://'),
  );
  for (const [, to = '', anchor] of links) {
    const target = to === '' ? new URL(name, root) : new URL(to, new URL(name, root));
    expect(existsSync(target), to).toBe(true);
    if (anchor !== undefined) expect(anchorsOf(readFileSync(target, 'utf8')), to + anchor).toContain(anchor);
  }
});

test('every page of docs/ is reached from the README', () => {
  const readme = readFileSync(new URL('README.md', root), 'utf8');
  expect(docs.filter((name) => !readme.includes(`](docs/${name})`))).toEqual([]);
});

/** As GitHub makes them of headings. */
const anchorsOf = (page: string): string[] =>
  [...page.matchAll(/^#+ (.*)$/gm)].map(
    ([, title = '']) =>
      `#${title
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-')}`,
  );
