import { Command } from 'commander';
import { catchError, lastValueFrom } from 'rxjs';
import { declare, resolve } from '../config/options.ts';
import { RuntimeFailure } from '../base/errors.ts';
import { askStatus, statusUrl, whySilent } from '../observe/http/ask.ts';
import { paletteFor } from '../screen/palette.ts';
import { say } from '../screen/say.ts';
import { widthOf } from '../screen/size.ts';
import { showStatus } from './show-status.ts';

export function statusCommand(): Command {
  const command = declare(new Command('status'), 'listen')
    .summary('what a running daemon is doing')
    .description('Shows what the daemon on this host serves, and its state.\nExit code 1 when none answers.')
    .option('--json', 'the daemon’s /status as it is')
    .addHelpText('after', '\nExample:\n  missd status --listen 127.0.0.1:9847');
  return command.action(async () => {
    const url = statusUrl(resolve(command, 'listen').listen);
    const answered$ = askStatus(url).pipe(
      catchError((error: unknown) => {
        throw new RuntimeFailure(`no daemon answers at ${url}: ${whySilent(error)}`, { cause: error });
      }),
    );
    const status = await lastValueFrom(answered$, { defaultValue: undefined });
    if (status === undefined) return;
    const json = command.opts<{ json?: boolean }>().json === true;
    const { stdout } = process;
    say(
      json ? `${JSON.stringify(status, null, 2)}\n` : showStatus(status, widthOf(stdout), paletteFor(stdout)),
    );
  });
}
