/** The size of an output, such as `process.stdout`. In Node these are absent if the output is not a terminal. */
export interface Sized {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/** The size of a terminal that does not tell its own, as on a serial line. */
const USUAL = { width: 80, height: 24 };

/** Characters in a line; Infinity for a pipe or a file, where lines are not wrapped. */
export const widthOf = ({ isTTY, columns }: Sized): number =>
  isTTY === true ? columns || USUAL.width : Infinity;

export const heightOf = ({ isTTY, rows }: Sized): number =>
  isTTY === true ? rows || USUAL.height : Infinity;
