/** Where output goes, as far as its size matters; `process.stdout` for one. Node leaves these out where it is no terminal. */
export interface Sized {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

/** Of a terminal that does not know its own, as on a serial line. */
const USUAL = { width: 80, height: 24 };

/** Characters in a line: as many as one likes into a pipe or file, where nobody sees them wrapped. */
export const widthOf = ({ isTTY, columns }: Sized): number =>
  isTTY === true ? columns || USUAL.width : Infinity;

export const heightOf = ({ isTTY, rows }: Sized): number =>
  isTTY === true ? rows || USUAL.height : Infinity;
