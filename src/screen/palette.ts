/** Colours, for terminals only and not with NO_COLOR. */
import pc from 'picocolors';

export type Palette = ReturnType<typeof pc.createColors>;

/** An output, such as `process.stdout`. In Node `isTTY` is absent if the output is not a terminal. */
export interface Out {
  isTTY?: boolean;
}

/**
 * The colours for `out`: none for a pipe or file, even with `CI` or `FORCE_COLOR`, because a reader of JSON or of a log
 * expects text; none with NO_COLOR (no-color.org: set and not empty) or on a dumb terminal.
 */
export function paletteFor(out: Out, env: NodeJS.ProcessEnv = process.env): Palette {
  // Never undefined: picocolors would then decide by itself, and it enables colours in every CI.
  return pc.createColors(out.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb');
}
