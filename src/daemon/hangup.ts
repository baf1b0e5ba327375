/**
 * SIGHUP as a daemon has it: read the configuration again. The kernel's default would end it, so this is the first
 * module that is loaded; what comes before anybody listens is kept for him, once.
 */
let heard = false;
let listener: (() => void) | undefined;

if (process.argv[2] === 'run')
  process.on('SIGHUP', () => {
    if (listener === undefined) heard = true;
    else listener();
  });

/** @param act called for each from now on, and at once for those that came before */
export function onHangup(act: () => void): void {
  listener = act;
  if (heard) act();
  heard = false;
}
