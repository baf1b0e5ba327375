/**
 * SIGHUP reloads the configuration. Without a handler the signal ends the process, so this is the first module that is loaded;
 * a signal that arrives before `onHangup` is called is kept for it.
 */
let heard = false;
let listener: (() => void) | undefined;

if (process.argv[2] === 'run')
  process.on('SIGHUP', () => {
    if (listener === undefined) heard = true;
    else listener();
  });

/** @param act called for each signal from now on, and at once where signals came before */
export function onHangup(act: () => void): void {
  listener = act;
  if (heard) act();
  heard = false;
}
