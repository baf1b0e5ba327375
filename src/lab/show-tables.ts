/** The kernel tables of a host as its own tools print them. */
import type { Host } from './host.ts';
import type { Story } from './story.ts';

export async function showTables(story: Story, { segment }: Host): Promise<void> {
  const { namespace } = segment;
  for (const [program, ...words] of [
    ['ip', 'neigh', 'show', 'dev', segment.device],
    ['bridge', 'fdb', 'show', 'dev', segment.device],
  ] as const) {
    story.command([program, '-n', namespace.name, ...words].join(' '));
    const rows = (await namespace.exec([program, ...words])).split('\n').map((row) => row.trim());
    // The bridge port's own permanent rows say nothing about other hosts.
    const relevant = rows.filter((row) => row !== '' && (row.includes(' dst ') || !/ permanent$/.test(row)));
    story.printed(relevant.length === 0 ? ['(nothing)'] : relevant);
  }
}
