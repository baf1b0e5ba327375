/** Shows the kernel tables of a host, as iproute2 prints them. */
import type { Host } from './host.ts';
import { RoutedSegment } from './routed-segment.ts';
import type { Story } from './story.ts';

export async function showTables(story: Story, { segment }: Host): Promise<void> {
  const { namespace, device } = segment;
  for (const [program, ...words] of [
    ['ip', 'neigh', 'show', 'dev', device],
    ['bridge', 'fdb', 'show', 'dev', device],
    ...(segment instanceof RoutedSegment
      ? [
          ['ip', '-4', 'route', 'show', 'dev', device],
          ['ip', '-6', 'route', 'show', 'dev', device],
        ]
      : []),
  ] as [string, ...string[]][]) {
    story.command([program, '-n', namespace.name, ...words].join(' '));
    const rows = (await namespace.exec([program, ...words])).split('\n').map((row) => row.trim());
    // Permanent rows of the bridge port are not about other hosts.
    const relevant = rows.filter((row) => row !== '' && (row.includes(' dst ') || !/ permanent$/.test(row)));
    story.printed(relevant.length === 0 ? ['(nothing)'] : relevant);
  }
}
