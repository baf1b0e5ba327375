/** Modules that are loaded into missd before its own. */
import { fileURLToPath } from 'node:url';

/** What to put in NODE_OPTIONS. Compiled ones only, since missd's Node may not read TypeScript. */
export const hook = (name: 'stages-hook' | 'profile-hook'): string =>
  `--import=${fileURLToPath(new URL(`${name}.js`, import.meta.url))}`;
