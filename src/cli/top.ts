import { Command } from 'commander';
import { type Observable, filter, lastValueFrom, map, scan, take, takeUntil, tap } from 'rxjs';
import { declare, resolve } from '../config/options.ts';
import * as parse from '../config/parse.ts';
import { RuntimeFailure } from '../base/errors.ts';
import { statusUrl } from '../observe/http/ask.ts';
import { paletteFor } from '../screen/palette.ts';
import { say, sayJson } from '../screen/say.ts';
import { type View, view } from '../top/rates.ts';
import { type Size, render } from '../top/render.ts';
import { type Sample, samples } from '../top/sample.ts';
import { Screen } from '../top/screen.ts';

/** Where there is no terminal to ask. */
const PLAIN: Size = { width: 120, height: Infinity };

/** Intervals it may be told to end after. */
const MOST = 1_000_000_000;

interface TopFlags {
  interval: number;
  count?: number;
  json?: boolean;
}

export function topCommand(): Command {
  const command = declare(new Command('top'), 'listen')
    .summary('what a running daemon is doing, live')
    .description(
      'Follows the daemon on this host: misses a second and how they end, latency, entries, the addresses asked for most ' +
        'and those unresolved for longest. q ends it. Into a pipe or file it prints a block per interval.',
    )
    .option('--interval <s>', `between two looks (0.1 to ${parse.DAY})`, parse.seconds(0.1, parse.DAY), 1)
    .option('--count <n>', `ends after so many, ${MOST} at most (default: goes on)`, parse.integer(1, MOST))
    .option('--json', 'one line of JSON per interval')
    .addHelpText('after', '\nExample:\n  missd top\n  missd top --interval 10 --count 6 > minute.txt');
  return command.action(async () => {
    const url = statusUrl(resolve(command, 'listen').listen);
    const { interval, count = Infinity, json } = command.opts<TopFlags>();
    const views$ = samples(url, interval).pipe(
      scan<Sample, { view?: View; sample?: Sample }>(
        (before, sample) => ({ view: view(before.view, sample, before.sample), sample }),
        {},
      ),
      map(({ view: seen }) => seen),
      filter((seen) => seen !== undefined),
    );
    const { stdout, env } = process;
    if (stdout.isTTY && env['TERM'] !== 'dumb' && json !== true) await live(views$, interval, count);
    else
      await plain(views$, url, count, (seen) => {
        if (json === true) sayJson(seen.silent === undefined ? seen : { ...seen, last: undefined });
        else say(`${render(seen, interval, PLAIN, paletteFor({})).join('\n')}\n\n`);
      });
  });
}

async function live(views$: Observable<View>, interval: number, count: number): Promise<void> {
  const screen = new Screen();
  const palette = paletteFor(process.stdout);
  let shown: View | undefined;
  const draw = (): void => {
    if (shown !== undefined) screen.draw(render(shown, interval, screen.size, palette));
  };
  const drawn$ = views$.pipe(
    take(count),
    tap((seen) => {
      shown = seen;
      draw();
    }),
    takeUntil(screen.quit$()),
  );
  screen.enter(draw);
  try {
    await lastValueFrom(drawn$, { defaultValue: undefined });
  } finally {
    screen.leave();
  }
}

/** Blocks of what went on since the one before: the first look at a daemon is none yet. */
async function plain(
  views$: Observable<View>,
  url: string,
  count: number,
  print: (seen: View) => void,
): Promise<void> {
  const last = await lastValueFrom(
    views$.pipe(
      filter((seen) => seen.silent !== undefined || seen.since !== undefined),
      take(count),
      tap(print),
    ),
    { defaultValue: undefined },
  );
  if (last?.silent !== undefined) throw new RuntimeFailure(`no daemon answers at ${url}: ${last.silent}`);
}
