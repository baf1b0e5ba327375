/** What may be sent to where output goes: colour only to a terminal, and not with NO_COLOR. */
import pc from 'picocolors';

export type Palette = ReturnType<typeof pc.createColors>;

/** Where it goes; `process.stdout` for one. Node leaves `isTTY` out where it is no terminal. */
export interface Out {
  isTTY?: boolean;
}

/**
 * The colours for `out`: none into a pipe or file whatever `CI` or `FORCE_COLOR` say (a reader of `--json` or of
 * a log wants text), none with NO_COLOR (no-color.org: set and not empty) or on a dumb terminal.
 */
export function paletteFor(out: Out, env: NodeJS.ProcessEnv = process.env): Palette {
  // Never undefined: picocolors would then decide by itself, and colours whatever runs in a CI.
  return pc.createColors(out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb');
}
