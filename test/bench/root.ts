/** The checkout, whether this runs as it is or compiled. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function above(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : above(dirname(directory));
}

export const ROOT = above(dirname(fileURLToPath(import.meta.url)));
